package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"strings"

	"github.com/fairlead-go/fairlead/rule"
)

// schema is a JSON Schema, or a part of one.
type schema map[string]any

// base is where the schemas are found by editors.
const base = "https://raw.githubusercontent.com/fairlead-go/fairlead/main/rule/schema/"

// generate returns the files by name. Source is the folder of package rule.
func generate(source string) (map[string][]byte, error) {
	comments, err := commentsOf(source)
	if err != nil {
		return nil, err
	}
	files := map[string][]byte{}
	for name, of := range map[string]struct {
		title string
		root  reflect.Type
	}{
		"servicepolicy.v1alpha1.json": {"The rules of one service", reflect.TypeFor[rule.Policy]()},
		"settings.v1alpha1.json":      {"The settings of all services", reflect.TypeFor[rule.Settings]()},
	} {
		g := generator{comments: comments, definitions: schema{}}
		root := g.of(of.root)
		document := schema{
			"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": base + name,
			"title": of.title, "$defs": g.definitions,
		}
		maps.Copy(document, root)
		var text bytes.Buffer
		e := json.NewEncoder(&text)
		e.SetEscapeHTML(false)
		e.SetIndent("", "  ")
		if err := e.Encode(document); err != nil {
			return nil, err
		}
		files[name] = text.Bytes()
	}
	return files, nil
}

// generator collects the definitions that one schema needs.
type generator struct {
	comments    map[string]string // by "Type" and "Type.Field"
	definitions schema
}

// of returns the schema of a type.
func (g *generator) of(t reflect.Type) schema {
	switch t {
	case reflect.TypeFor[rule.Duration]():
		return schema{"type": "string", "pattern": `^([0-9]+(\.[0-9]*)?|\.[0-9]+)(ns|us|µs|ms|s|m|h)(([0-9]+(\.[0-9]*)?|\.[0-9]+)(ns|us|µs|ms|s|m|h))*$`}
	case reflect.TypeFor[rule.Percent]():
		return schema{"type": "string", "pattern": `^(100(\.0{1,2})?|[0-9]{1,2}(\.[0-9]{1,2})?|0[0-9]{2}(\.[0-9]{1,2})?)%$`}
	case reflect.TypeFor[rule.Rate]():
		return schema{"type": "string", "pattern": `^[0-9]{1,13}(\.[0-9]{1,6})?/[smh]$`}
	}
	switch t.Kind() {
	case reflect.Pointer:
		return g.of(t.Elem())
	case reflect.String:
		return schema{"type": "string", "maxLength": rule.MaxText}
	case reflect.Bool:
		return schema{"type": "boolean"}
	case reflect.Int:
		return schema{"type": "integer"}
	case reflect.Float64:
		return schema{"type": "number"}
	case reflect.Slice:
		return schema{"type": "array", "items": g.of(t.Elem())}
	case reflect.Map:
		return schema{"type": "object", "additionalProperties": g.of(t.Elem()), "propertyNames": schema{"minLength": 1, "maxLength": rule.MaxText}}
	case reflect.Struct:
		if _, known := g.definitions[t.Name()]; !known {
			g.definitions[t.Name()] = nil // it may be within itself
			g.definitions[t.Name()] = g.object(t)
		}
		return schema{"$ref": "#/$defs/" + t.Name()}
	}
	panic(fmt.Sprintf("schemagen: no schema for %s", t))
}

func (g *generator) object(t reflect.Type) schema {
	properties, required := schema{}, []string{}
	g.fields(t, t.Name(), properties, &required)
	s := schema{"type": "object", "additionalProperties": false, "properties": properties}
	if len(required) > 0 {
		s["required"] = required
	}
	if text := g.comments[t.Name()]; text != "" {
		s["description"] = text
	}
	maps.Copy(s, allowed(t.Name()))
	return s
}

func (g *generator) fields(t reflect.Type, owner string, properties schema, required *[]string) {
	for f := range t.Fields() {
		if f.Anonymous {
			g.fields(f.Type, owner, properties, required)
			continue
		}
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		property := g.of(f.Type)
		if text := g.comments[t.Name()+"."+f.Name]; text != "" {
			property["description"] = text
		}
		maps.Copy(property, allowed(t.Name()+"."+name))
		properties[name] = property
		if options == "" {
			*required = append(*required, name)
		}
	}
}
