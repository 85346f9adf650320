package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strings"
)

// commentsOf returns what the source of a package says of its structs and their
// fields.
func commentsOf(folder string) (map[string]string, error) {
	comments := map[string]string{}
	paths, err := filepath.Glob(filepath.Join(folder, "*.go"))
	if err != nil {
		return nil, err
	}
	for _, path := range paths {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ParseComments)
		if err != nil {
			return nil, err
		}
		for _, d := range file.Decls {
			general, ok := d.(*ast.GenDecl)
			if !ok {
				continue
			}
			for _, s := range general.Specs {
				if t, ok := s.(*ast.TypeSpec); ok {
					note(comments, general, t)
				}
			}
		}
	}
	return comments, nil
}

func note(comments map[string]string, d *ast.GenDecl, t *ast.TypeSpec) {
	of, ok := t.Type.(*ast.StructType)
	if !ok {
		return
	}
	comments[t.Name.Name] = inOneLine(d.Doc)
	for _, f := range of.Fields.List {
		for _, name := range f.Names {
			comments[t.Name.Name+"."+name.Name] = inOneLine(f.Doc) + inOneLine(f.Comment)
		}
	}
}

func inOneLine(c *ast.CommentGroup) string {
	return strings.Join(strings.Fields(c.Text()), " ")
}
