//! The loop that accepts connections and serves them.

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use hyper_util::server::conn::auto;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use super::service::answer;
use super::state::Shared;
use crate::own_work::{HiddenExecutor, hidden};

/// Takes connections until the other end of `stopped` is gone.
pub(super) async fn serve(
    listener: TcpListener,
    shared: Arc<Shared>,
    mut stopped: oneshot::Receiver<Infallible>,
) {
    let mut connections = JoinSet::new();
    while let Some(accepted) = accept(&listener, &mut connections, &mut stopped).await {
        match accepted {
            Ok(stream) => {
                let connection = serve_connection(stream, Arc::clone(&shared));
                drop(connections.spawn(hidden(connection)));
            }
            // Most likely the process has no file descriptor left.
            Err(_) => tokio::time::sleep(PAUSE).await,
        }
    }
    drop(listener);
    connections.shutdown().await;
}

/// Waits for a connection, and forgets those that have ended. Returns `None` when it is time to stop.
async fn accept(
    listener: &TcpListener,
    connections: &mut JoinSet<()>,
    stopped: &mut oneshot::Receiver<Infallible>,
) -> Option<io::Result<TcpStream>> {
    poll_fn(|context| {
        if Pin::new(&mut *stopped).poll(context).is_ready() {
            return Poll::Ready(None);
        }
        while let Poll::Ready(Some(_)) = connections.poll_join_next(context) {}
        if connections.len() >= MAX_CONNECTIONS {
            return Poll::Pending;
        }
        let accepted = listener.poll_accept(context);
        accepted.map(|accepted| Some(accepted.map(|(stream, _)| stream)))
    })
    .await
}

async fn serve_connection(stream: TcpStream, shared: Arc<Shared>) {
    // Without it answers on a connection that is kept open may be late by 40 ms.
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request| answer(Arc::clone(&shared), request));
    // What a client does wrong ends its connection, and nobody else's.
    let _ = auto::Builder::new(HiddenExecutor)
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

/// How many connections are served at a time; more of them wait.
const MAX_CONNECTIONS: usize = 512;
/// How long to wait after a connection could not be taken.
const PAUSE: Duration = Duration::from_millis(20);
