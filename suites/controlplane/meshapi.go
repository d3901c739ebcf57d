package controlplane

import (
	"bytes"
	"compress/gzip"
	"io"
	"slices"
	"strings"
	"sync"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"
	"google.golang.org/protobuf/types/known/structpb"
	mesh "istio.io/api/mesh/v1alpha1"
)

// anyValue is the type of fields whose own type is of another API: they accept everything.
const anyValue = ".google.protobuf.Value"

// meshConfig describes MeshConfig of Istio 1.20, from the descriptors that its Go package carries. The package's own
// types cannot be decoded beside this module's Kubernetes API, whose types are no protobuf messages; fields of such
// types, and of Istio's other APIs, accept everything.
var meshConfig = sync.OnceValues(func() (protoreflect.MessageDescriptor, error) {
	//lint:ignore SA1019 the only way to the bare descriptor: ProtoReflect resolves the types of other APIs
	proxyFile, _ := (*mesh.ProxyConfig)(nil).Descriptor()
	//lint:ignore SA1019 the only way to the bare descriptor: ProtoReflect resolves the types of other APIs
	configFile, _ := (*mesh.MeshConfig)(nil).Descriptor()
	var files []*descriptorpb.FileDescriptorProto
	own := map[string]bool{}
	for _, packed := range [][]byte{proxyFile, configFile} {
		reader, err := gzip.NewReader(bytes.NewReader(packed))
		if err != nil {
			return nil, err
		}
		content, err := io.ReadAll(reader)
		if err != nil {
			return nil, err
		}
		var file descriptorpb.FileDescriptorProto
		if err := proto.Unmarshal(content, &file); err != nil {
			return nil, err
		}
		files = append(files, &file)
		declared("."+file.GetPackage(), file.GetMessageType(), file.GetEnumType(), own)
	}
	known := new(protoregistry.Files)
	for _, file := range files {
		file.Dependency = slices.DeleteFunc(file.GetDependency(), func(path string) bool {
			ours := func(of *descriptorpb.FileDescriptorProto) bool { return of.GetName() == path }
			return !strings.HasPrefix(path, "google/protobuf/") && !slices.ContainsFunc(files, ours)
		})
		file.PublicDependency, file.WeakDependency = nil, nil
		if path := structpb.File_google_protobuf_struct_proto.Path(); !slices.Contains(file.Dependency, path) {
			file.Dependency = append(file.Dependency, path)
		}
		closeOver(file.GetMessageType(), own)
		for _, path := range file.GetDependency() {
			if _, err := known.FindFileByPath(path); err == nil || !strings.HasPrefix(path, "google/protobuf/") {
				continue
			}
			needed, err := protoregistry.GlobalFiles.FindFileByPath(path)
			if err != nil {
				return nil, err
			}
			if err := known.RegisterFile(needed); err != nil {
				return nil, err
			}
		}
		built, err := protodesc.NewFile(file, known)
		if err != nil {
			return nil, err
		}
		if err := known.RegisterFile(built); err != nil {
			return nil, err
		}
	}
	found, err := known.FindDescriptorByName("istio.mesh.v1alpha1.MeshConfig")
	if err != nil {
		return nil, err
	}
	return found.(protoreflect.MessageDescriptor), nil
})

// declared adds the full names of messages and enumerations below a scope.
func declared(
	scope string, messages []*descriptorpb.DescriptorProto, enums []*descriptorpb.EnumDescriptorProto, to map[string]bool,
) {
	for _, enum := range enums {
		to[scope+"."+enum.GetName()] = true
	}
	for _, message := range messages {
		name := scope + "." + message.GetName()
		to[name] = true
		declared(name, message.GetNestedType(), message.GetEnumType(), to)
	}
}

// closeOver gives fields of types that are not known the type that accepts everything.
func closeOver(messages []*descriptorpb.DescriptorProto, own map[string]bool) {
	for _, message := range messages {
		for _, field := range message.GetField() {
			if name := field.GetTypeName(); name != "" && !own[name] && !strings.HasPrefix(name, ".google.protobuf.") {
				field.TypeName, field.Type = proto.String(anyValue), descriptorpb.FieldDescriptorProto_TYPE_MESSAGE.Enum()
			}
		}
		closeOver(message.GetNestedType(), own)
	}
}

// decodeMesh compares settings of the mesh with those of Istio 1.20.
func decodeMesh(of tree) (known, typed bool) {
	described, err := meshConfig()
	if err != nil {
		return false, false
	}
	content, err := asJSON(inProtoJSON(of, described))
	if err != nil {
		return false, false
	}
	typed = protojson.UnmarshalOptions{DiscardUnknown: true}.Unmarshal(content, dynamicpb.NewMessage(described)) == nil
	return !typed || protojson.Unmarshal(content, dynamicpb.NewMessage(described)) == nil, typed
}
