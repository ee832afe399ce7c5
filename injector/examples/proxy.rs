//! The proxy alone, to be measured beside others: `proxy LISTEN UPSTREAM` carries bytes until it is killed.
//!
//! CPU per request: run it pinned to one core, load it through keep-alive connections, and divide what
//! `/proc/PID/stat` says it used by the requests that the load tool counted.

use brunt_injector::proxy::Proxy;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let words: Vec<_> = std::env::args().skip(1).collect();
    let [listen, upstream] = words.as_slice() else { return Err("usage: proxy LISTEN UPSTREAM".into()) };
    let proxy = Proxy::start(1)?;
    println!("{}", proxy.open("measured", false, vec![upstream.clone()], Some(listen))?[0]);
    loop {
        std::thread::park();
    }
}
