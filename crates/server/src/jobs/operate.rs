//! What an operator does with jobs: look, try again, discard.
