//! What is known where the code runs: tags, user, contexts, request and level.
//!
//! A [`Scope`] is a copy of that knowledge; [`task`] holds those of the task
//! that is being polled, [`global`] the one that lies below all of them.
//!
//! | Scope | Holds for | Changed by |
//! |---|---|---|
//! | global | the process | [`configure_global_scope`] |
//! | isolation | a transaction, a request, a task | [`configure_scope`] and [`set_tag`] with the like |
//! | current | a part of that | [`with_scope`] alone |
//!
//! Later ones win.

use std::borrow::Cow;
use std::fmt::Display;
use std::sync::Arc;

use serde::Serialize;
use serde_json::Value;

use super::breadcrumbs::Breadcrumbs;
use super::map::Map;
use crate::hooks::EventProcessor;
use crate::protocol::{Breadcrumb, Level, Request, Tags, Transaction, User, valid};

/// Data that goes on every transaction which ends under it.
///
/// Cloning is cheap: clones share what they hold until one of them is changed.
#[derive(Clone, Debug, Default)]
pub struct Scope {
    // `None` while nothing was ever set, which is what most scopes stay.
    pub(crate) data: Option<Arc<ScopeData>>,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct ScopeData {
    pub(crate) tags: Map<String>,
    pub(crate) contexts: Map<Value>,
    pub(crate) user: Option<User>,
    pub(crate) request: Option<Request>,
    pub(crate) level: Option<Level>,
    pub(crate) breadcrumbs: Breadcrumbs,
    pub(crate) processors: Vec<EventProcessor>,
}

/// The scopes of one task. Forks of them are copies: nothing comes back.
#[derive(Clone, Debug, Default)]
pub(crate) struct Scopes {
    pub(crate) isolation: Scope,
    pub(crate) current: Scope,
}

impl Scopes {
    /// Whether both share what they hold, or hold nothing.
    #[inline]
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self.isolation.is_same(&other.isolation) && self.current.is_same(&other.current)
    }

    /// Puts what is known on a transaction: the narrower the scope, the more it counts.
    pub(crate) fn apply_to(&self, global: &Scope, transaction: &mut Transaction, tags: &mut Tags) {
        for scope in [global, &self.isolation, &self.current] {
            scope.apply_to(transaction, tags);
        }
        let breadcrumbs = &mut transaction.breadcrumbs;
        breadcrumbs.sort_by_key(|breadcrumb| breadcrumb.timestamp);
    }

    /// The event processors in the order in which they run.
    pub(crate) fn processors(&self, global: &Scope) -> Vec<EventProcessor> {
        let scopes = [&self.isolation, &self.current, global];
        scopes.map(Scope::processors).concat()
    }

    /// About how many bytes they hold on to, together with their clones.
    #[inline]
    pub(crate) fn size(&self) -> usize {
        match (&self.isolation.data, &self.current.data) {
            (None, None) => 0,
            _ => self.isolation.size() + self.current.size(),
        }
    }
}

impl Scope {
    /// Whether both share what they hold, or hold nothing.
    #[inline]
    pub(super) fn is_same(&self, other: &Self) -> bool {
        match (&self.data, &other.data) {
            (None, None) => true,
            (Some(one), Some(other)) => Arc::ptr_eq(one, other),
            _ => false,
        }
    }

    /// Sets a tag, a short value to search by.
    ///
    /// Servers take keys of up to 200 characters out of `a-zA-Z0-9_.:-` and
    /// values of up to 200 characters on one line. What does not fit is made to
    /// fit, and then kept whole in the data of the transaction under the same key.
    pub fn set_tag(&mut self, key: impl Into<Cow<'static, str>>, value: impl Display) {
        self.put_tag(key.into(), value.to_string());
    }

    pub(crate) fn put_tag(&mut self, key: Cow<'static, str>, value: String) {
        self.data().tags.insert(key, value);
    }

    /// Removes a tag.
    pub fn remove_tag(&mut self, key: &str) {
        self.data().tags.remove(key);
    }

    /// Sets the user that the work is done for. A text is the user's id.
    pub fn set_user(&mut self, user: impl Into<User>) {
        let mut user = user.into();
        valid::make_valid(&mut user);
        self.data().user = Some(user);
    }

    /// Removes the user.
    pub fn remove_user(&mut self) {
        self.data().user = None;
    }

    /// Sets a context, an object of related values under one name.
    ///
    /// A value that does not serialise to a JSON object is put into one, under
    /// the key `value`. The name `trace` belongs to the protocol and is ignored.
    pub fn set_context(&mut self, name: impl Into<Cow<'static, str>>, context: impl Serialize) {
        let context = valid::context_of(context);
        self.put_context(name.into(), context);
    }

    pub(crate) fn put_context(&mut self, name: Cow<'static, str>, context: Value) {
        if name != "trace" {
            self.data().contexts.insert(name, context);
        }
    }

    /// Removes a context.
    pub fn remove_context(&mut self, name: &str) {
        self.data().contexts.remove(name);
    }

    /// Sets the HTTP request that the work answers; `None` forgets it.
    ///
    /// It is sent as it is: leave out what is nobody's business.
    pub fn set_request(&mut self, request: impl Into<Option<Request>>) {
        let mut request = request.into();
        if let Some(data) = request.as_mut().and_then(|request| request.data.as_mut()) {
            valid::limit_depth(data);
        }
        self.data().request = request;
    }

    /// Sets how important the work is; `None` forgets it.
    pub fn set_level(&mut self, level: impl Into<Option<Level>>) {
        self.data().level = level.into();
    }

    /// Adds something that happened. Of more than 100 the oldest are forgotten.
    ///
    /// Breadcrumbs of all scopes go on a transaction, ordered by time, and of
    /// those the newest
    /// [`max_breadcrumbs`](crate::Options::max_breadcrumbs).
    pub fn add_breadcrumb(&mut self, mut breadcrumb: Breadcrumb) {
        let data = breadcrumb.data.values_mut();
        data.for_each(valid::limit_depth);
        self.data().breadcrumbs.push(Arc::new(breadcrumb));
    }

    /// Forgets all breadcrumbs.
    pub fn clear_breadcrumbs(&mut self) {
        self.data().breadcrumbs = Breadcrumbs::default();
    }

    /// Adds code that changes every transaction which ends under this scope, or drops it.
    ///
    /// It is one of the [event processors](crate::Options::event_processor), whose rules hold for
    /// it, and runs before those of the client. Those of the task's scopes run before those of the
    /// global scope, and in each of them the one that was added first.
    ///
    /// ```
    /// # use taskspan::{Instrument, Options};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// # let (client, sent) = taskspan::test::client(Options::default().traces_sample_rate(1.0));
    /// async {
    ///     taskspan::configure_scope(|scope| {
    ///         scope.add_event_processor(|transaction| {
    ///             let is_slow = transaction.spans.len() > 100;
    ///             is_slow.then_some(transaction)
    ///         });
    ///     });
    /// }
    /// .in_transaction("task", "poll")
    /// # .with_client(&client)
    /// .await;
    /// # assert!(sent.transactions().is_empty());
    /// # }
    /// ```
    pub fn add_event_processor(
        &mut self,
        process: impl Fn(Transaction) -> Option<Transaction> + Send + Sync + 'static,
    ) {
        self.data().processors.push(EventProcessor::new(process));
    }

    /// Forgets everything but the event processors, as the protocol has it.
    pub fn clear(&mut self) {
        let processors = self.processors().to_vec();
        self.data = None;
        if !processors.is_empty() {
            self.data().processors = processors;
        }
    }

    pub(crate) fn processors(&self) -> &[EventProcessor] {
        self.data
            .as_ref()
            .map_or(&[], |data| data.processors.as_slice())
    }

    /// Puts what is known here on a transaction, over what is there already.
    fn apply_to(&self, transaction: &mut Transaction, tags: &mut Tags) {
        let Some(data) = &self.data else { return };
        for (key, value) in data.tags.iter() {
            tags.set(key.clone(), value.clone());
        }
        for (name, context) in data.contexts.iter() {
            transaction
                .contexts
                .others
                .insert(name.clone(), context.clone());
        }
        if let Some(user) = &data.user {
            transaction.user = Some(user.clone());
        }
        if let Some(request) = &data.request {
            transaction.request = Some(request.clone());
        }
        if let Some(level) = data.level {
            transaction.level = Some(level);
        }
        let breadcrumbs = data.breadcrumbs.iter().cloned();
        transaction.breadcrumbs.extend(breadcrumbs);
    }

    /// About how many bytes it holds on to, together with its clones.
    fn size(&self) -> usize {
        let Some(data) = &self.data else { return 0 };
        let tags = data.tags.iter().map(|(key, value)| key.len() + value.len());
        let contexts = data
            .contexts
            .iter()
            .map(|(name, context)| name.len() + valid::size_of_value(context));
        let user = data.user.iter().flat_map(|user| user.other.values());
        let request = data.request.iter().flat_map(|request| {
            let texts = [&request.url, &request.query_string];
            let texts = texts.into_iter().flatten().map(String::len);
            let headers = request.headers.iter();
            texts
                .chain(headers.map(|(name, value)| name.len() + value.len()))
                .chain(request.data.iter().map(valid::size_of_value))
        });
        let breadcrumbs = data.breadcrumbs.iter().map(|breadcrumb| {
            let data = breadcrumb.data.values().map(valid::size_of_value);
            size_of::<Breadcrumb>() + breadcrumb.message.len() + data.sum::<usize>()
        });
        size_of::<ScopeData>()
            + size_of_val(data.processors.as_slice())
            + tags.sum::<usize>()
            + contexts.sum::<usize>()
            + user.map(valid::size_of_value).sum::<usize>()
            + request.sum::<usize>()
            + breadcrumbs.sum::<usize>()
    }

    pub(crate) fn data(&mut self) -> &mut ScopeData {
        Arc::make_mut(self.data.get_or_insert_default())
    }
}
