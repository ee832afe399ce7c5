//! What a run came to, told from the outside: synthetic samples and facts in, results.json out.

mod aborted;
mod by_hand;
mod cost;
mod gates;
mod guardrails;
mod instances;
mod recovery;
mod rounds;
mod stable;
mod story;
mod trust;
mod windows;
