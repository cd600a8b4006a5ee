// SPDX-License-Identifier: BSD-2-Clause

// gcloop runs garbage collections: `gcloop N` does N of them, one for each line on stdin, or all at
// once with -free. Prints the number done after each line; ends when N are done and stdin ends.
package main

import (
	"bufio"
	"flag"
	"fmt"
	"io"
	"os"
	"runtime"
)

type node struct {
	left, right *node
}

func tree(depth int) *node {
	if depth == 0 {
		return &node{}
	}
	return &node{tree(depth - 1), tree(depth - 1)}
}

func main() {
	cycles := flag.Int("cycles", 100, "how many")
	free := flag.Bool("free", false, "don't wait for a line before each, only before the first")
	depth := flag.Int("depth", 14, "the live heap is a tree of that depth")
	flag.Parse()
	keep := tree(*depth)
	fmt.Println(`{"ready":true}`)
	in := bufio.NewScanner(os.Stdin)
	for i := 0; i < *cycles; i++ {
		if (!*free || i == 0) && !in.Scan() {
			return
		}
		tree(10)
		runtime.GC()
		if !*free || i == *cycles-1 {
			var s runtime.MemStats
			runtime.ReadMemStats(&s)
			fmt.Printf("{\"cycles\":%d}\n", s.NumGC)
		}
	}
	io.Copy(io.Discard, os.Stdin)
	runtime.KeepAlive(keep)
}
