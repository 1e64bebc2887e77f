// The contracts as protobuf-es has them, for clients of the door that are made with Connect.

export * from './gen/cairn/v1/actors_pb.js'
export * from './gen/cairn/v1/data_pb.js'
export * from './gen/cairn/v1/messages_pb.js'
export * from './gen/cairn/v1/operations_pb.js'
export * from './gen/cairn/v1/options_pb.js'
export * from './gen/cairn/v1/plugin_pb.js'
export * from './gen/cairn/v1/store_pb.js'
