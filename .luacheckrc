std = "max"
max_line_length = 140
unused_args = false
files["spec"] = { std = "max+busted" }
exclude_files = { "build", "node_modules", "tmp" }
