//! Checks that the current runtime has timers and I/O.

use std::net::{Ipv4Addr, UdpSocket as StdSocket};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use futures_util::FutureExt;
use tokio::net::UdpSocket;
use tokio::time;

/// The method of [`tokio::runtime::Builder`] that enables what the current runtime lacks, if it lacks anything.
///
/// Tokio has no other answer to this than a panic, which is caught here.
pub(crate) fn missing() -> Option<&'static str> {
    match (has_timers(), has_io()) {
        (true, true) => None,
        (false, true) => Some("enable_time"),
        (true, false) => Some("enable_io"),
        (false, false) => Some("enable_all"),
    }
}

/// Whether the current runtime can wait for a time.
pub(super) fn has_timers() -> bool {
    // Nothing that a panic could leave half done is used afterwards.
    let sleep = || time::sleep(Duration::ZERO).now_or_never();
    catch_unwind(AssertUnwindSafe(sleep)).is_ok()
}

fn has_io() -> bool {
    let socket = StdSocket::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|socket| {
        socket.set_nonblocking(true)?;
        Ok(socket)
    });
    // If sockets are not allowed at all, nothing is known.
    let Ok(socket) = socket else { return true };
    let register = || drop(UdpSocket::from_std(socket));
    catch_unwind(AssertUnwindSafe(register)).is_ok()
}

#[cfg(test)]
mod tests {
    use tokio::runtime::Builder;

    use super::*;

    #[test]
    fn what_a_runtime_lacks_is_named() {
        let missing_in = |builder: &mut Builder| {
            let runtime = builder.build().unwrap();
            let _entered = runtime.enter();
            missing()
        };
        assert_eq!(
            missing_in(&mut Builder::new_current_thread()),
            Some("enable_all")
        );
        assert_eq!(
            missing_in(Builder::new_current_thread().enable_io()),
            Some("enable_time")
        );
        assert_eq!(
            missing_in(Builder::new_current_thread().enable_time()),
            Some("enable_io")
        );
        assert_eq!(
            missing_in(Builder::new_multi_thread().worker_threads(1).enable_all()),
            None
        );
    }
}
