// A command of WASI in Go: it adds numbers that come as JSON.
package main

import (
	"encoding/json"
	"fmt"
	"os"
)

func main() {
	var asked struct {
		Numbers []int `json:"numbers"`
	}
	if err := json.NewDecoder(os.Stdin).Decode(&asked); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	sum := 0
	for _, number := range asked.Numbers {
		sum += number
	}
	json.NewEncoder(os.Stdout).Encode(map[string]any{"sum": sum, "method": os.Getenv("REQUEST_METHOD")})
}
