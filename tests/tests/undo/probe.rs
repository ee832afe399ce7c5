//! Datagrams through the path that a fault is put on, there and back: is each there once, unharmed, in order and in time?

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use brunt_tests::namespaces::Namespaces;

/// In a row, without a gap between them.
const DATAGRAMS: u32 = 30;
/// With 8 kbit/s they need more than ten seconds.
const SIZE: usize = 500;
/// All are back by then, on a machine that is busy with seven other trials.
const IN_TIME: Duration = Duration::from_millis(450);

/// Both ends. The far one sends back whatever comes.
pub struct Probe {
    near: UdpSocket,
    far: SocketAddr,
    ending: Arc<AtomicBool>,
    echo: Option<JoinHandle<()>>,
    round: AtomicU32,
}

impl Probe {
    pub fn start(network: &Namespaces) -> Self {
        let bind = || UdpSocket::bind("0.0.0.0:0").expect("a port is free");
        let echo = network.of_server().inside(bind).expect("root may enter");
        let near = network.of_client().inside(bind).expect("root may enter");
        let far = SocketAddr::from((Namespaces::SERVER, echo.local_addr().expect("it is bound").port()));
        let ending = Arc::new(AtomicBool::new(false));
        echo.set_read_timeout(Some(Duration::from_millis(200))).expect("the span is not zero");
        let ends = Arc::clone(&ending);
        let echo = std::thread::spawn(move || {
            let mut bytes = [0; SIZE];
            while !ends.load(Ordering::Relaxed) {
                if let Ok((length, from)) = echo.recv_from(&mut bytes) {
                    // EPERM where a fault drops what is sent: just that is looked for.
                    let _ = echo.send_to(&bytes[..length], from);
                }
            }
        });
        Self { near, far, ending, echo: Some(echo), round: AtomicU32::new(0) }
    }

    /// What is wrong with the path now; `None`: nothing.
    pub fn trouble(&self) -> Option<String> {
        let round = self.round.fetch_add(1, Ordering::Relaxed);
        let began = Instant::now();
        for number in 0..DATAGRAMS {
            let mut bytes = [0; SIZE];
            bytes[..4].copy_from_slice(&round.to_le_bytes());
            bytes[4..8].copy_from_slice(&number.to_le_bytes());
            if let Err(why) = self.near.send_to(&bytes, self.far) {
                return Some(format!("datagram {number} was not sent: {why}"));
            }
        }
        let mut came = Vec::new();
        loop {
            let left = IN_TIME.saturating_sub(began.elapsed());
            // One that comes twice comes soon after the first.
            let patience = if came.len() < DATAGRAMS as usize { left } else { left.min(Duration::from_millis(30)) };
            if patience.is_zero() {
                break;
            }
            self.near.set_read_timeout(Some(patience)).expect("it is not zero");
            let mut bytes = [0; SIZE];
            match self.near.recv(&mut bytes) {
                Ok(SIZE) if bytes[..4] == round.to_le_bytes() => {
                    came.push(u32::from_le_bytes([bytes[4], bytes[5], bytes[6], bytes[7]]));
                }
                // Of an earlier round, late.
                Ok(_) => {}
                Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => break,
                Err(error) => return Some(format!("nothing can be received: {error}")),
            }
        }
        (came != Vec::from_iter(0..DATAGRAMS)).then(|| format!("of {DATAGRAMS} datagrams came back {came:?}"))
    }

    /// The same, but a machine that stalls is given two more chances: a rule that acts spoils all three.
    pub fn lasting_trouble(&self) -> Option<String> {
        (0..3).map(|_| self.trouble()).reduce(|one, next| one.and(next)).flatten()
    }
}

impl Drop for Probe {
    fn drop(&mut self) {
        self.ending.store(true, Ordering::Relaxed);
        let _ = self.echo.take().map(JoinHandle::join);
    }
}
