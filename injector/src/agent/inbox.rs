//! A queue between two threads, of which the one that reads waits for other things as well: by a descriptor.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender, TryRecvError};

use rustix::event::{EventfdFlags, eventfd};

/// The end at which it is read.
pub(super) struct Inbox<T> {
    queue: Receiver<T>,
    bell: Arc<OwnedFd>,
}

/// The other end. When it is dropped the inbox is readable for ever.
pub(super) struct Post<T> {
    queue: Option<Sender<T>>,
    bell: Arc<OwnedFd>,
}

/// A queue.
///
/// # Errors
/// There are no descriptors left.
pub(super) fn queue<T>() -> io::Result<(Post<T>, Inbox<T>)> {
    let bell = Arc::new(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?);
    let (sender, receiver) = mpsc::channel();
    Ok((Post { queue: Some(sender), bell: Arc::clone(&bell) }, Inbox { queue: receiver, bell }))
}

impl<T> Post<T> {
    /// Puts something in; `false` when nobody reads any more.
    pub fn send(&self, what: T) -> bool {
        let sent = self.queue.as_ref().is_some_and(|queue| queue.send(what).is_ok());
        self.ring();
        sent
    }

    fn ring(&self) {
        // It fails only where it rings already, 2^64 times.
        let _ = rustix::io::write(&*self.bell, &1_u64.to_ne_bytes());
    }
}

impl<T> Drop for Post<T> {
    fn drop(&mut self) {
        self.queue = None;
        self.ring();
    }
}

impl<T> Inbox<T> {
    /// Call it before what is there is taken.
    pub fn hush(&self) {
        // EAGAIN: nothing has come.
        let _ = rustix::io::read(&*self.bell, &mut [0; 8]);
    }

    /// The next thing that is there by now.
    ///
    /// # Errors
    /// Nothing more can come.
    pub fn take(&self) -> Result<Option<T>, TryRecvError> {
        match self.queue.try_recv() {
            Ok(what) => Ok(Some(what)),
            Err(TryRecvError::Empty) => Ok(None),
            Err(gone) => Err(gone),
        }
    }
}

impl<T> AsFd for Inbox<T> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.bell.as_fd()
    }
}
