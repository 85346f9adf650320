package main

import (
	"testing"

	"github.com/fairlead-go/fairlead/internal/integration/etcdtest"
)

func TestMain(m *testing.M) { etcdtest.Main(m) }
