//! Connections, and which of them to close when there are too many.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep_until};

/// What a connection is doing.
#[derive(Debug)]
pub(super) struct Activity {
    state: Mutex<State>,
}

#[derive(Clone, Copy, Debug)]
struct State {
    /// When a head or a part of a body last arrived, or an answer was ready.
    last: Instant,
    /// How many requests have come and are not answered.
    requests: usize,
    /// How many of them are there as a whole.
    answering: usize,
    /// Whether there has been a request.
    is_used: bool,
}

/// A request on a connection, from its head to its answer.
#[derive(Debug)]
pub(super) struct RequestActivity {
    activity: Arc<Activity>,
    is_answering: bool,
}

impl Activity {
    /// That of a new connection.
    pub(super) fn new() -> Arc<Self> {
        let state = State {
            last: Instant::now(),
            requests: 0,
            answering: 0,
            is_used: false,
        };
        let state = Mutex::new(state);
        Arc::new(Self { state })
    }

    /// Notes that the head of a request arrived.
    pub(super) fn request(self: &Arc<Self>) -> RequestActivity {
        let mut state = self.state();
        state.last = Instant::now();
        state.requests += 1;
        state.is_used = true;
        drop(state);
        RequestActivity {
            activity: Arc::clone(self),
            is_answering: false,
        }
    }

    /// Waits until there has been no request for too long: for `first` after the connection was
    /// opened, for `next` after an answer.
    pub(super) async fn idle(&self, first: Duration, next: Duration) {
        loop {
            let state = *self.state();
            let timeout = if state.is_used { next } else { first };
            let now = Instant::now();
            let end = match state.requests {
                0 => state.last + timeout,
                _ => now + timeout,
            };
            if end <= now {
                return;
            }
            sleep_until(end).await;
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl RequestActivity {
    /// Notes that a part of the body arrived.
    pub(super) fn progress(&self) {
        self.activity.state().last = Instant::now();
    }

    /// Notes that the client has sent everything.
    pub(super) fn answer(&mut self) {
        if !self.is_answering {
            self.is_answering = true;
            self.activity.state().answering += 1;
        }
    }
}

impl Drop for RequestActivity {
    fn drop(&mut self) {
        let mut state = self.activity.state();
        state.last = Instant::now();
        state.requests -= 1;
        state.answering -= usize::from(self.is_answering);
    }
}

/// The connections that are served.
#[derive(Debug, Default)]
pub(super) struct Connections(Vec<(AbortHandle, Arc<Activity>)>);

impl Connections {
    pub(super) fn add(&mut self, task: AbortHandle, activity: Arc<Activity>) {
        self.0.push((task, activity));
    }

    /// Forgets those that have ended.
    pub(super) fn tidy(&mut self) {
        self.0.retain(|(task, _)| !task.is_finished());
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Closes the connection from which nothing has arrived for the longest time, and which waits
    /// for its client. Returns whether there was one.
    pub(super) fn close_idlest(&mut self) -> bool {
        let waiting = self.0.iter().enumerate().filter_map(|(index, (_, it))| {
            let state = *it.state();
            (state.answering == 0).then_some((state.last, index))
        });
        let Some((_, index)) = waiting.min() else {
            return false;
        };
        self.0.swap_remove(index).0.abort();
        true
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_connection_is_idle_after_its_first_or_next_timeout() {
        let (first, next) = (Duration::from_secs(10), Duration::from_secs(30));
        let started = Instant::now();
        Activity::new().idle(first, next).await;
        assert_eq!(started.elapsed(), first);

        let activity = Activity::new();
        let work = async {
            tokio::time::sleep(Duration::from_secs(5)).await;
            let request = activity.request();
            tokio::time::sleep(Duration::from_secs(100)).await;
            drop(request);
            Instant::now()
        };
        let idle = async {
            activity.idle(first, next).await;
            Instant::now()
        };
        let (answered, closed) = tokio::join!(work, idle);
        assert_eq!(closed - answered, next);
    }

    #[tokio::test(start_paused = true)]
    async fn the_idlest_connection_that_waits_for_its_client_is_closed() {
        let mut connections = Connections::default();
        let mut tasks = Vec::new();
        let mut activities = Vec::new();
        for _ in 0..3 {
            let (task, activity) = (tokio::spawn(pending::<()>()), Activity::new());
            connections.add(task.abort_handle(), Arc::clone(&activity));
            tasks.push(task);
            activities.push(activity);
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        // The first has sent a request, and waits for the answer; the second has sent a part of one.
        let mut request = activities[0].request();
        request.answer();
        let part = activities[1].request();
        tokio::time::sleep(Duration::from_millis(1)).await;
        part.progress();
        assert!(connections.close_idlest());
        assert!(tasks.remove(2).await.unwrap_err().is_cancelled());
        assert!(connections.close_idlest());
        assert!(tasks.remove(1).await.unwrap_err().is_cancelled());
        assert!(!connections.close_idlest());
        assert_eq!(connections.len(), 1);
        tasks[0].abort();
        let _ = tasks.remove(0).await;
        connections.tidy();
        assert_eq!(connections.len(), 0);
    }
}
