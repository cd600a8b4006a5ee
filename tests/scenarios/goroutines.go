// SPDX-License-Identifier: BSD-2-Clause

package main

import "sync"

const many = 500

// never has no sender.
var never = make(chan int)

func start(end chan int, ended *sync.WaitGroup) {
	var running sync.WaitGroup
	running.Add(many)
	ended.Add(many)
	for i := 0; i < many; i++ {
		go func() {
			running.Done()
			<-end
			ended.Done()
		}()
	}
	running.Wait()
}

func block() error {
	start(never, new(sync.WaitGroup))
	return nil
}

func burst() error {
	var ended sync.WaitGroup
	end := make(chan int)
	start(end, &ended)
	close(end)
	ended.Wait()
	return nil
}
