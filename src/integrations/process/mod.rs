//! Child processes as spans, with the trace in their environment.
