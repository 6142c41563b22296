"""What a process needs to run: cores, memory, threads, progress, files and time codes."""
