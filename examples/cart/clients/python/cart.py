"""Adds to a cart over gRPC: python cart.py localhost:4000 cart-42 tea 2"""

import sys
import uuid

import grpc
from google.protobuf.json_format import MessageToJson
from shop.v1 import cart_pb2, cart_pb2_grpc

address, cart, sku, quantity = sys.argv[1:5]
with grpc.insecure_channel(address) as channel:
    carts = cart_pb2_grpc.CartServiceStub(channel)
    session = ("x-voda-session", cart)
    # The same key again is the same call: a retry takes effect once.
    once = ("idempotency-key", str(uuid.uuid4()))
    try:
        request = cart_pb2.AddItemRequest(sku=sku, quantity=int(quantity))
        carts.AddItem(request, metadata=[session, once], timeout=10)
        answer = carts.GetCart(cart_pb2.GetCartRequest(), metadata=[session], timeout=10)
    except grpc.RpcError as error:
        sys.exit(f"{error.code().name}: {error.details()}")
    print(MessageToJson(answer.cart, indent=None))
