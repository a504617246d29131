//! The loop that accepts connections and serves them.

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use futures_util::future::select;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use hyper_util::server::conn::auto;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::connection::{Activity, Connections};
use super::service::answer;
use super::state::Shared;
use crate::own_work::{HiddenExecutor, hidden};

/// Accepts connections until the other end of `stopped` is gone.
pub(super) async fn serve(
    listener: TcpListener,
    shared: Arc<Shared>,
    mut stopped: oneshot::Receiver<Infallible>,
) {
    let mut tasks = JoinSet::new();
    let mut connections = Connections::default();
    'serving: while let Some(accepted) = accept(&listener, &mut tasks, &mut stopped).await {
        connections.tidy();
        match accepted {
            Ok(stream) => {
                while connections.len() >= MAX_CONNECTIONS && !connections.close_idlest() {
                    // All of them are being answered, which does not take long.
                    if timeout(PAUSE, &mut stopped).await.is_ok() {
                        break 'serving;
                    }
                    connections.tidy();
                }
                let activity = Activity::new();
                let connection =
                    serve_connection(stream, Arc::clone(&shared), Arc::clone(&activity));
                connections.add(tasks.spawn(hidden(connection)), activity);
            }
            // Most likely the process has no file descriptor left.
            Err(_) => {
                connections.close_idlest();
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
    drop(listener);
    tasks.shutdown().await;
}

/// Waits for a connection, and forgets those that have ended. Returns `None` when it is time to stop.
async fn accept(
    listener: &TcpListener,
    tasks: &mut JoinSet<()>,
    stopped: &mut oneshot::Receiver<Infallible>,
) -> Option<io::Result<TcpStream>> {
    poll_fn(|context| {
        if Pin::new(&mut *stopped).poll(context).is_ready() {
            return Poll::Ready(None);
        }
        while let Poll::Ready(Some(_)) = tasks.poll_join_next(context) {}
        let accepted = listener.poll_accept(context);
        accepted.map(|accepted| Some(accepted.map(|(stream, _)| stream)))
    })
    .await
}

async fn serve_connection(stream: TcpStream, shared: Arc<Shared>, activity: Arc<Activity>) {
    // Without it answers on a connection that is kept open may be late by 40 ms.
    let _ = stream.set_nodelay(true);
    let settings = &shared.settings;
    let idle = activity.idle(settings.read_timeout, settings.total_timeout());
    let service = service_fn(|request| answer(Arc::clone(&shared), activity.request(), request));
    let mut builder = auto::Builder::new(HiddenExecutor);
    // What clients send is read before anything asks for it, up to these bounds.
    builder.http1().max_buf_size(MAX_BUFFER);
    builder
        .http2()
        .initial_stream_window_size(WINDOW)
        .initial_connection_window_size(WINDOW * MAX_STREAMS)
        .max_concurrent_streams(MAX_STREAMS);
    let connection = builder.serve_connection(TokioIo::new(stream), service);
    // What a client does wrong ends its connection, and no other.
    drop(select(pin!(connection), pin!(idle)).await);
}

/// How many connections are served at a time.
const MAX_CONNECTIONS: usize = 256;
/// How many bytes of a connection are read ahead. Heads may not be longer.
const MAX_BUFFER: usize = 64 * 1024;
/// How many bytes of a stream of HTTP/2 are read ahead, and how many streams a connection has.
const WINDOW: u32 = 65_535;
const MAX_STREAMS: u32 = 4;
/// How long to wait after a connection could not be accepted.
const PAUSE: Duration = Duration::from_millis(20);
