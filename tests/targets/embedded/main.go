// SPDX-License-Identifier: BSD-2-Clause

// Command embedded holds files (the folder static, which who builds it makes). A line "touch PATH N"
// reads the first N bytes of one; the answer says how many were read.
package main

import (
	"bufio"
	"embed"
	"fmt"
	"io"
	"os"
)

//go:embed static
var files embed.FS

func touch(path string, n int64) int64 {
	f, err := files.Open(path)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	defer f.Close()
	done, sum, b := int64(0), byte(0), make([]byte, 1024)
	for done < n {
		if n-done < int64(len(b)) {
			b = b[:n-done]
		}
		k, err := io.ReadFull(f, b)
		done += int64(k)
		for _, x := range b[:k] {
			sum ^= x
		}
		if err != nil {
			break
		}
	}
	fmt.Fprintln(os.Stderr, sum)
	return done
}

func main() {
	in := bufio.NewScanner(os.Stdin)
	fmt.Println("{}")
	for in.Scan() {
		var path string
		var n int64
		fmt.Sscanf(in.Text(), "touch %s %d", &path, &n)
		fmt.Printf("{\"read\": %d}\n", touch(path, n))
	}
}
