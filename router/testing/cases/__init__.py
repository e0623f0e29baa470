"""Cases: files of calls and what must come of them, played by the real engine on a clock and a wire of their own."""
