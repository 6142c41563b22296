"""Smart copy: groups of pictures without a hidden box are copied packet by packet, the others encoded."""
