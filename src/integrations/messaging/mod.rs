//! Messages that carry the trace through queues.
