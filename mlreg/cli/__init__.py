"""The command line: parse, call a service, emit the record. Rules live below, in the services."""
