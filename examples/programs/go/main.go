// A function in Go, compiled into one file: it asks for events over Lambda's Runtime API, with the standard library alone.
package main

import (
	"bytes"
	"encoding/json"
	"io"
	"log"
	"net/http"
	"os"
)

type event struct {
	Numbers []int `json:"numbers"`
}

func handle(asked event) map[string]int {
	sum := 0
	for _, number := range asked.Numbers {
		sum += number
	}
	return map[string]int{"sum": sum}
}

func main() {
	root := "http://" + os.Getenv("AWS_LAMBDA_RUNTIME_API") + "/2018-06-01/runtime/invocation/"
	for {
		next, err := http.Get(root + "next")
		if err != nil {
			log.Fatal(err)
		}
		path := root + next.Header.Get("Lambda-Runtime-Aws-Request-Id")
		var asked event
		err = json.NewDecoder(next.Body).Decode(&asked)
		next.Body.Close()
		var answer any = handle(asked)
		if err == nil {
			path += "/response"
		} else {
			path += "/error"
			answer = map[string]string{"errorType": "BadEvent", "errorMessage": err.Error()}
		}
		body, _ := json.Marshal(answer)
		told, err := http.Post(path, "application/json", bytes.NewReader(body))
		if err != nil {
			log.Fatal(err)
		}
		io.Copy(io.Discard, told.Body)
		told.Body.Close()
	}
}
