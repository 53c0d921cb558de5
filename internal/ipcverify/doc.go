// Package ipcverify checks the messages of an Arrow IPC stream before a reader allocates
// anything for them: that the FlatBuffers of their metadata are what they say, and that
// every length is backed by bytes that are there, or within a limit.
//
// Sources: FlatBuffers internals (flatbuffers.dev, "FlatBuffer Internals"); Message.fbs and
// Schema.fbs of the Arrow columnar format, and "Serialization and Interprocess Communication"
// of its specification.
//
// It knows nothing of values: whether offsets and text are right is for whoever reads them.
package ipcverify
