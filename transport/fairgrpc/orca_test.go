package fairgrpc_test

import (
	"math"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/fairlead-go/fairlead/balancer"
	"github.com/fairlead-go/fairlead/internal/orca"
)

// loadReport is xds.data.orca.v3.OrcaLoadReport as published in
// github.com/cncf/xds, so that protobuf itself can read what package orca writes
// by hand.
func loadReport(tb testing.TB) protoreflect.MessageDescriptor {
	tb.Helper()
	const (
		double = descriptorpb.FieldDescriptorProto_TYPE_DOUBLE
		number = descriptorpb.FieldDescriptorProto_TYPE_UINT64
		text   = descriptorpb.FieldDescriptorProto_TYPE_STRING
		other  = descriptorpb.FieldDescriptorProto_TYPE_MESSAGE
	)
	field := func(name string, n int32, of descriptorpb.FieldDescriptorProto_Type) *descriptorpb.FieldDescriptorProto {
		f := &descriptorpb.FieldDescriptorProto{Name: &name, Number: &n, Type: &of, Label: descriptorpb.FieldDescriptorProto_LABEL_OPTIONAL.Enum()}
		if of == other {
			entry := map[int32]string{4: "RequestCostEntry", 5: "UtilizationEntry", 8: "NamedMetricsEntry"}[n]
			f.TypeName, f.Label = new(".xds.data.orca.v3.OrcaLoadReport."+entry), descriptorpb.FieldDescriptorProto_LABEL_REPEATED.Enum()
		}
		return f
	}
	var entries []*descriptorpb.DescriptorProto
	for _, name := range []string{"RequestCostEntry", "UtilizationEntry", "NamedMetricsEntry"} {
		entries = append(entries, &descriptorpb.DescriptorProto{
			Name: &name, Field: []*descriptorpb.FieldDescriptorProto{field("key", 1, text), field("value", 2, double)},
			Options: &descriptorpb.MessageOptions{MapEntry: new(true)},
		})
	}
	file, err := protodesc.NewFile(&descriptorpb.FileDescriptorProto{
		Name: new("xds/data/orca/v3/orca_load_report.proto"), Package: new("xds.data.orca.v3"), Syntax: new("proto3"),
		MessageType: []*descriptorpb.DescriptorProto{{
			Name: new("OrcaLoadReport"), NestedType: entries,
			Field: []*descriptorpb.FieldDescriptorProto{
				field("cpu_utilization", 1, double), field("mem_utilization", 2, double), field("rps", 3, number),
				field("request_cost", 4, other), field("utilization", 5, other), field("rps_fractional", 6, double),
				field("eps", 7, double), field("named_metrics", 8, other), field("application_utilization", 9, double),
			},
		}},
	}, new(protoregistry.Files))
	if err != nil {
		tb.Fatal(err)
	}
	return file.Messages().Get(0)
}

// official is what a message says in the eyes of protobuf.
func official(m protoreflect.Message) balancer.Load {
	of := func(name protoreflect.Name) float64 { return m.Get(m.Descriptor().Fields().ByName(name)).Float() }
	named := func(name string) float64 {
		v := m.Get(m.Descriptor().Fields().ByName("named_metrics")).Map().Get(protoreflect.ValueOfString(name).MapKey())
		if !v.IsValid() {
			return 0
		}
		return v.Float()
	}
	l := balancer.Load{
		Utilization: of("application_utilization"), QPS: of("rps_fractional"), EPS: of("eps"),
		InFlight: int(min(math.Round(named("fairlead.rif")), math.MaxInt32)),
		Latency:  time.Duration(min(named("fairlead.latency_seconds")*1e9, 1<<62)),
	}
	if l.Utilization == 0 {
		l.Utilization = of("cpu_utilization")
	}
	return l
}

func TestProtobufReadsWhatIsWritten(t *testing.T) {
	report := loadReport(t)
	for _, load := range []balancer.Load{
		{},
		{Utilization: 0.5},
		{Utilization: 1.5, QPS: 1000, EPS: 2.5, InFlight: 3, Latency: 20 * time.Millisecond},
	} {
		m := dynamicpb.NewMessage(report)
		if err := proto.Unmarshal(orca.AppendBinary(nil, load), m); err != nil || len(m.GetUnknown()) > 0 {
			t.Fatalf("%+v: %v, unknown %q", load, err, m.GetUnknown())
		}
		if got := official(m); got != load {
			t.Errorf("protobuf reads %+v, written was %+v", got, load)
		}
	}
}

// FuzzReport lets protobuf and the reading by hand read the same bytes. What one
// reads the other reads, in the same way; but groups, numbers that no load has,
// and too much of everything are refused, and keys are not looked into.
func FuzzReport(f *testing.F) {
	report := loadReport(f)
	fields := report.Fields()
	m := dynamicpb.NewMessage(report)
	for i := range fields.Len() {
		if d := fields.Get(i); d.Kind() == protoreflect.DoubleKind {
			m.Set(d, protoreflect.ValueOfFloat64(float64(i)+0.5))
		} else if d.IsMap() {
			m.Mutable(d).Map().Set(protoreflect.ValueOfString("fairlead.rif").MapKey(), protoreflect.ValueOfFloat64(3))
		}
	}
	seed, err := proto.Marshal(m)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(seed)
	f.Fuzz(func(t *testing.T, b []byte) {
		got, gotErr := orca.ParseBinary(string(b))
		m := dynamicpb.NewMessage(report)
		if !reads(b, m) {
			return
		}
		want := official(m)
		switch plain := len(b) <= 400 && len(m.GetUnknown()) == 0 && finite(m) && !grouped(b); {
		case gotErr != nil && plain && want.Valid():
			t.Fatalf("protobuf reads %+v, by hand it is %v", want, gotErr)
		case gotErr == nil && got != want:
			t.Fatalf("protobuf reads %+v, by hand it is %+v", want, got)
		}
	})
}

// grouped reports whether there is a group in what is read.
func grouped(b []byte) bool {
	for len(b) > 0 {
		number, wire, n := protowire.ConsumeTag(b)
		if n < 0 {
			return false
		}
		size := protowire.ConsumeFieldValue(number, wire, b[n:])
		if wire == protowire.StartGroupType || size < 0 {
			return wire == protowire.StartGroupType
		}
		if inner, _ := protowire.ConsumeBytes(b[n:]); wire == protowire.BytesType && grouped(inner) {
			return true
		}
		b = b[n+size:]
	}
	return false
}

// reads reports whether protobuf reads a message. A key of another type makes
// version 1.36.12 panic, where messages are dynamic.
func reads(b []byte, m proto.Message) (ok bool) {
	defer func() { recover() }()
	return proto.Unmarshal(b, m) == nil
}

// finite reports whether all numbers of a message are finite and none of its
// fields is negative.
func finite(m protoreflect.Message) bool {
	good := true
	m.Range(func(d protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		switch {
		case d.IsMap():
			v.Map().Range(func(_ protoreflect.MapKey, v protoreflect.Value) bool {
				good = good && math.Abs(v.Float()) <= math.MaxFloat64
				return good
			})
		case d.Kind() == protoreflect.DoubleKind:
			good = good && v.Float() >= 0 && v.Float() <= math.MaxFloat64
		}
		return good
	})
	return good
}
