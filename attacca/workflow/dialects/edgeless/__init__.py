"""EDGELESS's: its controller's services over gRPC, for its unmodified command line."""
