//! Runs the examples in the documentation of taskspan's integrations that need more than what
//! taskspan itself depends on. There they are shown, and not run.

#![cfg(doctest)]

macro_rules! examples {
    ($($name:ident)*) => {
        $(
            #[doc = include_str!(concat!("../../src/integrations/examples/", stringify!($name), ".md"))]
            mod $name {}
        )*
    };
}

examples! {
    actix_web
    apalis
    messaging_nats
    redis_pool
    reqwest
    sqlx
    tonic_client
    tonic_server
    tower_client
    tower_server
    tracing
    tracing_both
}
