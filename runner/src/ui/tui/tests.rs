//! Views as a terminal would show them, and what keys do.

mod keys;
mod pages;
mod sample;
