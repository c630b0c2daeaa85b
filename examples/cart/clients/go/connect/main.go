// Adds to a cart over Connect: go run ./connect http://localhost:4000 cart-42 tea 2
package main

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"os"
	"strconv"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/encoding/protojson"

	shop "example.com/cart/gen/shop/v1"
	"example.com/cart/gen/shop/v1/shopv1connect"
	"example.com/cart/once"
)

func main() {
	log.SetFlags(0)
	if err := add(os.Args[1], os.Args[2], os.Args[3], os.Args[4]); err != nil {
		log.Fatal(err) // as in "invalid_argument: sku is empty"
	}
}

func add(url, cart, sku, amount string) error {
	quantity, err := strconv.ParseInt(amount, 10, 32)
	if err != nil {
		return err
	}
	// Numbered calls take effect once, however often they are sent.
	numbers := &once.Numbers{}
	carts := shopv1connect.NewCartServiceClient(http.DefaultClient, url, connect.WithInterceptors(numbers.Connect()))
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()

	item := connect.NewRequest(&shop.AddItemRequest{Sku: sku, Quantity: int32(quantity)})
	item.Header().Set("x-voda-session", cart)
	if _, err := carts.AddItem(ctx, item); err != nil {
		return err
	}
	get := connect.NewRequest(&shop.GetCartRequest{})
	get.Header().Set("x-voda-session", cart)
	answer, err := carts.GetCart(ctx, get)
	if err != nil {
		return err
	}
	fmt.Println(protojson.Format(answer.Msg.Cart))
	return nil
}
