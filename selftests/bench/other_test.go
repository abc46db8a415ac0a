// SPDX-License-Identifier: GPL-2.0

// What the benchmarks of Go's own package lack: many children of one context, and
// the work that one of them does in between, alone.
package other

import (
	"context"
	"fmt"
	"testing"
)

// Each child is ended by who made it, as Go wants it, after its parent was: what
// releasing a context is here.
func BenchmarkWide(b *testing.B) {
	for _, children := range []int{10, 100, 1000, 10000} {
		b.Run(fmt.Sprintf("children=%d", children), func(b *testing.B) {
			release := make([]context.CancelFunc, children)
			for i := 0; i < b.N; i++ {
				ctx, cancel := context.WithCancel(context.Background())
				for c := range release {
					_, release[c] = context.WithCancel(ctx)
				}
				cancel()
				for c := range release {
					release[c]()
				}
			}
		})
	}
}

var passed int

func BenchmarkBetween(b *testing.B) {
	b.RunParallel(func(pb *testing.PB) {
		x := 0
		for pb.Next() {
			for i := 0; i < 200; i++ {
				x /= x + 1
			}
		}
		passed = x
	})
}
