package proxy

import (
	"fmt"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"
)

// decode reads what Envoy's admin interface renders as JSON. Envoy knows more messages than
// are linked into this binary, and fields newer than the API it was built with: neither may
// break the reading of the rest. An extension whose message is not linked keeps its type and
// loses its content.
func decode(content []byte, into proto.Message) error {
	options := protojson.UnmarshalOptions{DiscardUnknown: true, Resolver: tolerant{protoregistry.GlobalTypes}}
	if err := options.Unmarshal(content, into); err != nil {
		return fmt.Errorf("decode %s: %w", into.ProtoReflect().Descriptor().FullName(), err)
	}
	return nil
}

// tolerant resolves every type URL: those of unknown messages to one without fields.
type tolerant struct{ *protoregistry.Types }

func (t tolerant) FindMessageByURL(url string) (protoreflect.MessageType, error) {
	known, err := t.Types.FindMessageByURL(url)
	if err != nil {
		return opaque, nil
	}
	return known, nil
}

// opaque is a message without fields. The well-known Empty will not do: JSON has a form of
// its own for it inside an Any.
var opaque = func() protoreflect.MessageType {
	name, message, syntax := "mesh-conformance/opaque.proto", "Opaque", "proto3"
	file, err := protodesc.NewFile(&descriptorpb.FileDescriptorProto{
		Name: &name, Syntax: &syntax,
		MessageType: []*descriptorpb.DescriptorProto{{Name: &message}},
	}, nil)
	if err != nil {
		panic(fmt.Sprintf("a message without fields is always valid: %v", err))
	}
	return dynamicpb.NewMessageType(file.Messages().Get(0))
}()
