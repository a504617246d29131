//! Which public types and futures are `Send`, `Sync` and `Unpin`.

#![allow(dead_code, reason = "what compiles here holds")]

use std::cell::Cell;
use std::fmt;
use std::future::Ready;
use std::marker::PhantomPinned;
use std::rc::Rc;
use std::time::Duration;

use taskspan::{
    Client, InScope, InSpan, InTransaction, Instrument, JoinSetExt, RecordErr, local, protocol,
    test,
};
use tokio::task::JoinSet;

fn is_send<T: Send>() {}
fn is_sync<T: Sync>() {}
fn is_unpin<T: Unpin>() {}
fn is_debug<T: fmt::Debug>() {}
fn is_static<T: 'static>() {}

/// Checks that every type of a list has all four.
macro_rules! has_all {
    ($($name:ty),* $(,)?) => {$(
        is_send::<$name>();
        is_sync::<$name>();
        is_unpin::<$name>();
        is_debug::<$name>();
        is_static::<$name>();
    )*};
}

#[test]
fn every_public_type_may_go_anywhere() {
    has_all!(
        taskspan::Client,
        taskspan::Compression,
        taskspan::DeliveryReport,
        taskspan::DiscardReason,
        taskspan::DropReason,
        taskspan::Dsn,
        taskspan::EventId,
        taskspan::InitError,
        taskspan::Level,
        taskspan::OpenSpan,
        taskspan::Options,
        taskspan::OptionsError,
        taskspan::Pattern,
        taskspan::ParseDsnError,
        taskspan::ParseIdError,
        taskspan::Request,
        taskspan::Scope,
        taskspan::Span,
        taskspan::SpanBuilder,
        taskspan::SpanId,
        taskspan::SpanRule,
        taskspan::SpanStatus,
        taskspan::Spotlight,
        taskspan::Tally,
        taskspan::TraceId,
        taskspan::TransactionBuilder,
        taskspan::TransactionSource,
        taskspan::User,
    );
    has_all!(
        protocol::Category,
        protocol::ClientReport,
        protocol::Contexts,
        protocol::Data,
        protocol::Discarded,
        protocol::DynamicSamplingContext,
        protocol::Envelope,
        protocol::EnvelopeHeaders,
        protocol::Item,
        protocol::Sdk,
        protocol::SdkPackage,
        protocol::Span,
        protocol::Timestamp,
        protocol::TraceContext,
        protocol::Transaction,
        protocol::TransactionInfo,
        protocol::UnknownStatus,
    );
    has_all!(
        taskspan::actix_web::Server<()>,
        taskspan::actix_web::ServerBody<()>,
        taskspan::actix_web::ServerFuture<Ready<()>>,
        taskspan::actix_web::ServerMiddleware,
    );
    has_all!(
        taskspan::process::StdChild,
        taskspan::process::TokioChild,
        taskspan::process::Traced<'static, std::process::Command>,
        taskspan::process::Traced<'static, tokio::process::Command>,
    );
    has_all!(
        taskspan::redis::Connection<()>,
        taskspan::redis::ConnectionLayer,
    );
    has_all!(
        local::Counts,
        local::Delivery,
        local::EnvelopeProblem,
        local::InvalidTransaction,
        local::ParseEnvelopeError,
        local::ReceivedEnvelope,
        local::ReceivedItem,
        local::ReceivedSpan,
        local::ReceivedTransaction,
        local::Receiver,
        local::ReceiverBuilder,
        local::Refusal,
        local::Waterfall<'static>,
        test::Sent,
    );
}

#[test]
fn errors_can_be_boxed_and_sent() {
    fn is_error<E: std::error::Error + Send + Sync + 'static>() {}
    is_error::<taskspan::InitError>();
    is_error::<taskspan::OptionsError>();
    is_error::<taskspan::ParseDsnError>();
    is_error::<taskspan::ParseIdError>();
    is_error::<protocol::UnknownStatus>();
    is_error::<local::InvalidTransaction>();
    is_error::<local::ParseEnvelopeError>();
}

/// A future of which nothing is known but what is said.
struct OnlySend(PhantomPinned, Cell<()>);
struct OnlyUnpin(Rc<()>);

macro_rules! never {
    ($($name:ident)*) => {$(
        impl Future for $name {
            type Output = Result<(), ()>;

            fn poll(
                self: std::pin::Pin<&mut Self>,
                _: &mut std::task::Context<'_>,
            ) -> std::task::Poll<Self::Output> {
                std::task::Poll::Pending
            }
        }
    )*};
}

never!(OnlySend OnlyUnpin);

#[test]
fn wrapped_futures_are_what_the_future_inside_is() {
    macro_rules! all_wrappers {
        ($check:ident, $inner:ty) => {
            $check::<InTransaction<$inner>>();
            $check::<InSpan<$inner>>();
            $check::<InScope<$inner>>();
            $check::<RecordErr<$inner>>();
        };
    }
    all_wrappers!(is_send, OnlySend);
    all_wrappers!(is_unpin, OnlyUnpin);
    all_wrappers!(is_unpin, Ready<()>);
    all_wrappers!(is_send, Ready<()>);
    all_wrappers!(is_debug, OnlyUnpin);
}

/// Tells which of the traits a value has, where the answer may be no.
macro_rules! has {
    ($name:ty: $bound:ident) => {{
        trait Fallback {
            const HAS: bool = false;
        }
        impl<T: ?Sized> Fallback for T {}
        struct Probe<T: ?Sized>(std::marker::PhantomData<T>);
        impl<T: ?Sized + $bound> Probe<T> {
            const HAS: bool = true;
        }
        <Probe<$name>>::HAS
    }};
}

#[test]
fn what_is_inside_is_not_made_more_than_it_is() {
    assert!(!has!(InSpan<OnlyUnpin>: Send));
    assert!(!has!(InTransaction<OnlyUnpin>: Send));
    assert!(!has!(InScope<OnlyUnpin>: Send));
    assert!(!has!(RecordErr<OnlyUnpin>: Send));
    assert!(!has!(InSpan<OnlySend>: Unpin));
    assert!(!has!(InTransaction<OnlySend>: Unpin));
    assert!(!has!(InScope<OnlySend>: Unpin));
    assert!(!has!(RecordErr<OnlySend>: Unpin));
    // The question can be answered with yes.
    assert!(has!(InSpan<OnlySend>: Send));
    assert!(has!(InSpan<OnlyUnpin>: Unpin));
}

/// Takes a future, and lets everything be asked of it.
fn future_is_send<F: Future + Send>(_: F) {}
fn value_is_send<T: Send>(_: T) {}
fn future_is_send_and_static<F: Future + Send + 'static>(_: F) {}

#[test]
fn futures_of_async_functions_can_be_spawned() {
    let client = Client::new(taskspan::Options::disabled()).unwrap();
    future_is_send(client.flush(Duration::ZERO));
    future_is_send(client.close(Duration::ZERO));
    let clone = client.clone();
    future_is_send_and_static(async move {
        clone.flush(Duration::ZERO).await;
        clone.close(Duration::ZERO).await
    });

    // A handle may be held over an await.
    let work = async {
        let span = taskspan::span("a", "b").start();
        let root = taskspan::transaction("a", "b").start();
        let current = taskspan::current_span();
        std::future::ready(()).in_scope_of(&span).await;
        drop((span, root, current));
    };
    let work = work.in_span("a", "b").in_transaction("a", "b");
    future_is_send_and_static(work.with_client(&client).in_current_scope());
    value_is_send(taskspan::in_current_scope(|| ()));

    // Whether tasks have to be `Send` is up to who spawns them.
    let local = Rc::new(());
    drop(async move { drop(local) }.in_span("a", "b"));
    fn spawns<S: JoinSetExt<()>>() {}
    spawns::<JoinSet<()>>();
}

#[test]
fn futures_of_the_receiver_can_be_spawned() {
    future_is_send(local::Receiver::start());
    future_is_send(local::Receiver::bind("127.0.0.1:0"));
    future_is_send(local::Receiver::builder().bind("127.0.0.1:0"));
    fn methods(mut receiver: local::Receiver) {
        future_is_send(receiver.wait_for(1));
        future_is_send(receiver.wait_until(|_| true));
        future_is_send(receiver.next());
        future_is_send(receiver.shutdown());
    }
    let _: fn(local::Receiver) = methods;
}

#[test]
fn the_layer_of_tracing_can_be_shared() {
    fn is_shared<T: Send + Sync + 'static>(_: T) {}
    is_shared(taskspan::tracing::layer());
}

#[test]
fn clients_are_what_is_inside() {
    use taskspan::tower::{Client, ClientBody, ClientFuture, ClientLayer};
    has_all!(ClientLayer, Client<()>, ClientBody<()>, ClientFuture<()>);
    is_send::<ClientFuture<OnlySend>>();
    is_unpin::<ClientFuture<OnlyUnpin>>();
    assert!(!has!(ClientFuture<OnlyUnpin>: Send));
    assert!(!has!(ClientFuture<OnlySend>: Unpin));
    assert!(!has!(ClientBody<OnlyUnpin>: Send));
    assert!(!has!(ClientBody<OnlySend>: Unpin));
}

#[test]
fn requests_of_reqwest_can_be_spawned() {
    use taskspan::reqwest::{Client, RequestBuilder};
    has_all!(Client, RequestBuilder);
    fn requests(client: &Client, request: reqwest::Request) {
        future_is_send_and_static(client.get("https://shop.example").send());
        future_is_send_and_static(client.execute(request));
        future_is_send_and_static(taskspan::reqwest::get("https://shop.example"));
    }
    let _: fn(&Client, reqwest::Request) = requests;
}

#[test]
fn messages_can_be_published_from_anywhere() {
    use taskspan::messaging::Message;
    has_all!(Message<'static>);
    fn publishing(destination: &str) {
        let headers = Vec::<(String, String)>::new();
        // The name of the destination is only looked at.
        future_is_send_and_static(
            Message::new("nats", destination).publish(headers, async |_| Ok::<_, ()>(())),
        );
    }
    let _: fn(&str) = publishing;
}

#[test]
fn workers_are_what_is_inside() {
    use taskspan::apalis::{TaskSinkExt, Worker, WorkerFuture, WorkerLayer};
    has_all!(WorkerLayer, Worker<()>, WorkerFuture<()>);
    is_send::<WorkerFuture<OnlySend>>();
    is_unpin::<WorkerFuture<OnlyUnpin>>();
    assert!(!has!(WorkerFuture<OnlyUnpin>: Send));
    assert!(!has!(WorkerFuture<OnlySend>: Unpin));
    fn pushing(mut jobs: apalis::prelude::MemoryStorage<u32>) {
        future_is_send(jobs.push_traced(3));
        future_is_send(jobs.push_all_traced([3, 4]));
    }
    let _: fn(apalis::prelude::MemoryStorage<u32>) = pushing;
}

#[test]
fn waiting_for_a_child_can_be_spawned() {
    use taskspan::process::{TokioChild, TraceCommand};
    fn methods(mut child: TokioChild, command: &mut tokio::process::Command) {
        future_is_send(child.wait());
        future_is_send(child.kill());
        future_is_send_and_static(child.wait_with_output());
        future_is_send_and_static(command.traced().status());
        future_is_send_and_static(command.traced().output());
    }
    let _: fn(TokioChild, &mut tokio::process::Command) = methods;
}
