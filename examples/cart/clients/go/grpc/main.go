// Adds to a cart over gRPC: go run ./grpc localhost:4000 cart-42 tea 2
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"strconv"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"

	shop "example.com/cart/gen/shop/v1"
	"example.com/cart/once"
)

func main() {
	log.SetFlags(0)
	if err := add(os.Args[1], os.Args[2], os.Args[3], os.Args[4]); err != nil {
		log.Fatalf("%s: %s", status.Code(err), status.Convert(err).Message())
	}
}

func add(address, cart, sku, amount string) error {
	quantity, err := strconv.ParseInt(amount, 10, 32)
	if err != nil {
		return err
	}
	// Numbered calls take effect once, however often they are sent.
	numbers := &once.Numbers{}
	connection, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithUnaryInterceptor(numbers.GRPC), grpc.WithDefaultServiceConfig(once.Retry))
	if err != nil {
		return err
	}
	defer connection.Close()
	carts := shop.NewCartServiceClient(connection)

	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	ctx = metadata.AppendToOutgoingContext(ctx, "x-voda-session", cart)
	if _, err := carts.AddItem(ctx, &shop.AddItemRequest{Sku: sku, Quantity: int32(quantity)}); err != nil {
		return err
	}
	answer, err := carts.GetCart(ctx, &shop.GetCartRequest{})
	if err != nil {
		return err
	}
	fmt.Println(protojson.Format(answer.Cart))
	return nil
}
