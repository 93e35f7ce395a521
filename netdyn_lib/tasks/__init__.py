"""What is learned: data, networks, losses, and their gradients; together, a task."""
