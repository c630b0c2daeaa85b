"""Adds to a cart over gRPC: python cart.py localhost:4000 cart-42 tea 2"""

import sys

import grpc
from google.protobuf.json_format import MessageToJson
from numbered import OPTIONS, Numbered
from shop.v1 import cart_pb2, cart_pb2_grpc

address, cart, sku, quantity = sys.argv[1:5]
with grpc.insecure_channel(address, options=OPTIONS) as channel:
    # Numbered calls take effect once, however often they are sent.
    carts = cart_pb2_grpc.CartServiceStub(grpc.intercept_channel(channel, Numbered()))
    session = ("x-voda-session", cart)
    try:
        request = cart_pb2.AddItemRequest(sku=sku, quantity=int(quantity))
        carts.AddItem(request, metadata=[session], timeout=10)
        answer = carts.GetCart(cart_pb2.GetCartRequest(), metadata=[session], timeout=10)
    except grpc.RpcError as error:
        sys.exit(f"{error.code().name}: {error.details()}")
    print(MessageToJson(answer.cart, indent=None))
