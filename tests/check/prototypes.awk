# prototypes.awk: every prototype in a header has its contract. awk -f prototypes.awk HEADERS
# A comment speaks for the prototypes that follow it up to the next blank line.
FNR == 1 { inside = told = 0 }
inside { if (/\*\//) inside = 0; next }
/^[ \t]*\/\*/ { told = 1; inside = !/\*\//; next }
/^$/ { told = 0 }
/^[a-z].*\(/ && !/^(typedef|static|extern|struct [a-z_]+ \{)/ && !told && !/\/\*/ {
	printf "%s:%d: a prototype without a comment: %s\n", FILENAME, FNR, $0
	failed = 1
}
END { exit failed }
