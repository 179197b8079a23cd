// replay.go -- the log of a running sequencer, read over HTTP and checked with
// golang.org/x/mod/sumdb (note, tlog) and nothing of VES: the note, every
// entry, every stored hash, the root, inclusion from tiles, and that it extends
// the checkpoints of earlier runs.  replay PREFIX APIKEY VKEY STATE; STATE is a
// file that keeps the last checkpoint.  Prints "N checks" or FAIL and why.
package main

import (
	"encoding/binary"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

var prefix, apiKey string
var checks int

func want(ok bool, what string) {
	if !ok {
		fmt.Println("FAIL", what)
		os.Exit(1)
	}
	checks++
}

func must(err error, what string) { want(err == nil, fmt.Sprint(what, ": ", err)) }

func get(path string) []byte {
	q, err := http.NewRequest("GET", prefix+path, nil)
	must(err, path)
	q.Header.Set("Authorization", "ApiKey "+apiKey)
	r, err := http.DefaultClient.Do(q)
	must(err, path)
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	must(err, path)
	want(r.StatusCode == 200, fmt.Sprint(path, ": ", r.StatusCode, " ", string(b)))
	return b
}

// Tiles over HTTP; x/mod has the height in its paths, tlog-tiles has not.
type tiles struct{}

func (tiles) Height() int { return 8 }
func (tiles) ReadTiles(list []tlog.Tile) ([][]byte, error) {
	var out [][]byte
	for _, x := range list {
		out = append(out, get("/tile/"+strings.TrimPrefix(x.Path(), "tile/8/")))
	}
	return out, nil
}
func (tiles) SaveTiles([]tlog.Tile, [][]byte) {}

func open(b []byte, v note.Verifier) tlog.Tree {
	n, err := note.Open(b, note.VerifierList(v))
	must(err, "the checkpoint")
	l := strings.Split(n.Text, "\n")
	want(len(l) == 4 && l[0] == v.Name() && l[3] == "", "three lines")
	size, err := strconv.ParseInt(l[1], 10, 64)
	must(err, "size")
	h, err := tlog.ParseHash(l[2])
	must(err, "root")
	return tlog.Tree{N: size, Hash: h}
}

// "x001/234", with ".p/W" when it is not full.
func entriesPath(n, width int64) string {
	p := fmt.Sprintf("%03d", n%1000)
	for n /= 1000; n > 0; n /= 1000 {
		p = fmt.Sprintf("x%03d/%s", n%1000, p)
	}
	if width < 256 {
		p += fmt.Sprintf(".p/%d", width)
	}
	return "/tile/entries/" + p
}

func main() {
	prefix, apiKey = os.Args[1], os.Args[2]
	v, err := note.NewVerifier(os.Args[3])
	must(err, "the key")
	checkpoint := get("/checkpoint")
	tree := open(checkpoint, v)
	fromTiles := tlog.TileHashReader(tree, tiles{})

	// The whole log out of its entries.
	stored := []tlog.Hash{}
	own := tlog.HashReaderFunc(func(ix []int64) ([]tlog.Hash, error) {
		var out []tlog.Hash
		for _, i := range ix {
			if i >= int64(len(stored)) {
				return nil, fmt.Errorf("no hash %d", i)
			}
			out = append(out, stored[i])
		}
		return out, nil
	})
	for at := int64(0); at < tree.N; {
		width := tree.N - at
		if width > 256 {
			width = 256
		}
		b := get(entriesPath(at/256, width))
		for ; len(b) > 0; at++ {
			n := int(binary.BigEndian.Uint16(b))
			want(n == 147 && len(b) >= 2+n, fmt.Sprint("entry ", at))
			h, err := tlog.StoredHashes(at, b[2:2+n], own)
			must(err, "stored hashes")
			stored = append(stored, h...)
			b = b[2+n:]
		}
	}
	root, err := tlog.TreeHash(tree.N, own)
	must(err, "tree hash")
	want(root == tree.Hash, "the entries do not make the root")
	// Every leaf out of the tiles: TileHashReader proves each tile to the root.
	for i := int64(0); i < tree.N; i++ {
		h, err := fromTiles.ReadHashes([]int64{tlog.StoredHashIndex(0, i)})
		must(err, fmt.Sprint("leaf ", i))
		want(h[0] == stored[tlog.StoredHashIndex(0, i)], fmt.Sprint("leaf ", i, " differs"))
		if i%61 != 0 {
			continue
		}
		p, err := tlog.ProveRecord(tree.N, i, fromTiles)
		must(err, "proof")
		must(tlog.CheckRecord(p, tree.N, tree.Hash, i, h[0]), "inclusion")
	}
	if b, err := os.ReadFile(os.Args[4]); err == nil {
		old := open(b, v)
		want(old.N <= tree.N, "it became shorter")
		p, err := tlog.ProveTree(tree.N, old.N, fromTiles)
		must(err, "consistency")
		must(tlog.CheckTree(p, tree.N, tree.Hash, old.N, old.Hash), "consistency")
	}
	must(os.WriteFile(os.Args[4], checkpoint, 0o600), "state")
	fmt.Println(checks, "checks")
}
