"""Views in great number: after templates, and of contract ABIs."""
