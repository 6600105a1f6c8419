// SPDX-License-Identifier: Apache-2.0

// peers.go - Go's text/template, asked by bench_render over stdin and stdout, a
// line each (see peers.js). It escapes nothing. Run with `go run`: only the
// standard library is used.
package main

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"text/template"
	"time"
)

type piece struct {
	Literal  *string `json:"literal"`
	Field    string  `json:"field"`
	Next     string  `json:"next"`
	Function string  `json:"function"`
}

type question struct {
	Op       string   `json:"op"`
	Name     string   `json:"name"`
	Case     string   `json:"case"`
	Action   string   `json:"action"`
	Engine   string   `json:"engine"`
	N        int      `json:"n"`
	Pieces   []piece  `json:"pieces"`
	Payloads []string `json:"payloads"`
}

type work struct {
	payloads []map[string]interface{}
	source   string
	made     *template.Template
	compiled int
}

var formats = map[string]string{
	"plain": ".@", "upper": "upper .@", "lower": "lower .@", "trim": "trim .@", "head": "slice .@ 0 8",
	"replace": "replace .@", "join": "join .@ .~", "default": "or .@ \"none\"", "choose": "choose .@",
}

var functions = template.FuncMap{
	"upper":   strings.ToUpper,
	"lower":   strings.ToLower,
	"trim":    strings.TrimSpace,
	"replace": func(s string) string { return strings.ReplaceAll(s, "-", "/") },
	"join":    func(a, b string) string { return a + " " + b },
	"choose": func(s string) string {
		if s == "paid" {
			return "yes"
		}
		return "no"
	},
}

var numbers [4096]string
var cases = map[string]*work{}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "peers.go:", err)
		os.Exit(1)
	}
}

func prepare(q *question) string {
	w := &work{}
	for _, text := range q.Payloads {
		var payload map[string]interface{}
		check(json.Unmarshal([]byte(text), &payload))
		w.payloads = append(w.payloads, payload)
	}
	var source strings.Builder
	for _, p := range q.Pieces {
		if p.Literal != nil {
			source.WriteString(*p.Literal)
			continue
		}
		code := strings.ReplaceAll(strings.ReplaceAll(formats[p.Function], "@", p.Field), "~", p.Next)
		source.WriteString("{{" + code + "}}")
	}
	w.source = source.String()
	w.made = w.parse(0)
	cases[q.Name] = w
	return "ok"
}

func (w *work) parse(unique int) *template.Template {
	made, err := template.New("case").Funcs(functions).Parse(fmt.Sprintf("%s{{/* %d */}}", w.source, unique))
	check(err)
	return made
}

func (w *work) run(action string, count int) int64 {
	var out bytes.Buffer
	made := w.made
	begin := time.Now()
	for i := 0; i < count; i++ {
		payload := w.payloads[i&3]
		payload["order_id"] = numbers[i&4095]
		if action == "compile" {
			w.compiled++
			made = w.parse(w.compiled)
		}
		out.Reset()
		check(made.Execute(&out, payload))
	}
	return time.Since(begin).Nanoseconds()
}

func (w *work) output(n int) string {
	var out bytes.Buffer
	if n < 4 {
		w.payloads[n]["order_id"] = numbers[n]
	}
	check(w.made.Execute(&out, w.payloads[n]))
	return hex.EncodeToString(out.Bytes())
}

func answer(q *question) string {
	switch q.Op {
	case "case":
		return prepare(q)
	case "engine":
		if q.N == 0 && cases[q.Case] != nil && (q.Action == "render" || q.Action == "compile") {
			return "go-template"
		}
		return ""
	case "output":
		return cases[q.Case].output(q.N)
	case "run":
		return fmt.Sprint(cases[q.Case].run(q.Action, q.N))
	}
	return "ok"
}

func main() {
	for i := range numbers {
		numbers[i] = fmt.Sprintf("SO-2024-%05d", i)
	}
	in := bufio.NewReaderSize(os.Stdin, 1<<20)
	for {
		line, err := in.ReadBytes('\n')
		if err != nil {
			return
		}
		var q question
		check(json.Unmarshal(line, &q))
		fmt.Println(answer(&q))
	}
}
