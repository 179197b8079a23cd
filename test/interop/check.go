// check.go -- the log that log-dir wrote, checked with golang.org/x/mod/sumdb
// (note, tlog) and nothing of VES.  Prints "N checks" or FAIL and why.
package main

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

var dir string
var checks int

func must(err error, what string) {
	if err != nil {
		fmt.Println("FAIL", what+":", err)
		os.Exit(1)
	}
	checks++
}

func want(ok bool, what string) {
	if !ok {
		fmt.Println("FAIL", what)
		os.Exit(1)
	}
	checks++
}

func read(name string) []byte {
	b, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		fmt.Println("FAIL", err)
		os.Exit(1)
	}
	return b
}

// Tiles from the files; x/mod has the height in its paths, tlog-tiles has not.
type tiles struct{ reads int }

func (t *tiles) Height() int { return 8 }
func (t *tiles) ReadTiles(list []tlog.Tile) ([][]byte, error) {
	var out [][]byte
	for _, x := range list {
		t.reads++
		out = append(out, read("tile/"+strings.TrimPrefix(x.Path(), "tile/8/")))
	}
	return out, nil
}
func (t *tiles) SaveTiles([]tlog.Tile, [][]byte) {}

// Opens a signed note of ours, signs its text again and compares.
func open(name string, v note.Verifier, s note.Signer) tlog.Tree {
	b := read(name)
	n, err := note.Open(b, note.VerifierList(v))
	must(err, name)
	again, err := note.Sign(&note.Note{Text: n.Text}, s)
	must(err, name)
	want(strings.HasPrefix(string(b), string(again)), name+": x/mod signs other bytes")
	l := strings.Split(n.Text, "\n")
	want(len(l) == 4 && l[0] == v.Name() && l[3] == "", name+": three lines")
	size, err := strconv.ParseInt(l[1], 10, 64)
	must(err, name)
	h, err := tlog.ParseHash(l[2])
	must(err, name)
	return tlog.Tree{N: size, Hash: h}
}

// The whole log out of its entries, with every stored hash.
func replay(size int64) tlog.HashReader {
	stored := map[int64]tlog.Hash{}
	reader := tlog.HashReaderFunc(func(ix []int64) ([]tlog.Hash, error) {
		var out []tlog.Hash
		for _, i := range ix {
			h, ok := stored[i]
			if !ok {
				return nil, fmt.Errorf("hash %d is missing", i)
			}
			out = append(out, h)
		}
		return out, nil
	})
	for n := int64(0); n < size; {
		t := tlog.Tile{H: 8, L: -1, N: n / 256, W: 256}
		if size-n < 256 {
			t.W = int(size - n)
		}
		data := read(strings.Replace(t.Path(), "tile/8/data/", "tile/entries/", 1))
		for len(data) > 0 {
			k := int(binary.BigEndian.Uint16(data))
			hashes, err := tlog.StoredHashes(n, data[2:2+k], reader)
			must(err, "entry")
			for j, h := range hashes {
				stored[tlog.StoredHashIndex(0, n)+int64(j)] = h
			}
			data = data[2+k:]
			n++
		}
	}
	return reader
}

func same(a []tlog.Hash, b []string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i].String() != b[i] {
			return false
		}
	}
	return true
}

func parse(b []string) []tlog.Hash {
	var out []tlog.Hash
	for _, s := range b {
		h, err := tlog.ParseHash(s)
		must(err, s)
		out = append(out, h)
	}
	return out
}

// Our proofs, hash for hash, and accepted by the other side's own check.
func expectations(r tlog.HashReader) {
	for _, line := range strings.Split(strings.TrimSpace(string(read("expect.txt"))), "\n") {
		f := strings.Fields(line)
		a, _ := strconv.ParseInt(f[1], 10, 64)
		b, _ := strconv.ParseInt(f[2], 10, 64)
		switch f[0] {
		case "root":
			h, err := tlog.TreeHash(a, r)
			must(err, line)
			want(h.String() == f[3], line)
		case "inclusion":
			p, err := tlog.ProveRecord(b, a, r)
			must(err, line)
			want(same(p, f[3:]), line)
			root, err := tlog.TreeHash(b, r)
			must(err, line)
			leaf, err := r.ReadHashes([]int64{tlog.StoredHashIndex(0, a)})
			must(err, line)
			must(tlog.CheckRecord(parse(f[3:]), b, root, a, leaf[0]), line)
		case "consistency":
			p, err := tlog.ProveTree(b, a, r)
			must(err, line)
			want(same(p, f[3:]), line)
			old, err := tlog.TreeHash(a, r)
			must(err, line)
			root, err := tlog.TreeHash(b, r)
			must(err, line)
			must(tlog.CheckTree(parse(f[3:]), b, root, a, old), line)
		default:
			want(false, line)
		}
	}
}

func main() {
	dir = os.Args[1]
	v, err := note.NewVerifier(strings.TrimSpace(string(read("vkey"))))
	must(err, "vkey")
	s, err := note.NewSigner(strings.TrimSpace(string(read("skey"))))
	must(err, "skey")
	head := open("checkpoint", v, s)
	fromEntries := replay(head.N)
	root, err := tlog.TreeHash(head.N, fromEntries)
	must(err, "root")
	want(root == head.Hash, "the entries do not lead to the checkpoint's root")
	t := &tiles{}
	// x/mod authenticates every tile it reads against the checkpoint.
	fromTiles := tlog.TileHashReader(head, t)
	for i := int64(0); i < head.N; i++ {
		ix := []int64{tlog.StoredHashIndex(0, i)}
		if i%97 != 0 && i != head.N-1 {
			continue
		}
		a, err := fromTiles.ReadHashes(ix)
		must(err, "tile")
		b, err := fromEntries.ReadHashes(ix)
		must(err, "entry")
		want(a[0] == b[0], "tiles and entries differ")
	}
	expectations(fromEntries)
	notes, err := os.ReadDir(filepath.Join(dir, "notes"))
	must(err, "notes")
	for _, e := range notes {
		tree := open("notes/"+e.Name(), v, s)
		p, err := tlog.ProveTree(head.N, tree.N, fromTiles)
		must(err, e.Name())
		must(tlog.CheckTree(p, head.N, head.Hash, tree.N, tree.Hash), e.Name())
	}
	fmt.Println(checks, "checks")
}
