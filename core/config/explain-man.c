/* explain-man.c - option tables as manual pages, in man(7). */
#include "config/explain-part.h"

#include <config.h>
#include <string.h>

#define GUIDES "the guides for operators and of the sinks in\n.I " PATCHBAY_GUIDE_DIR "\n"

/* Text that troff is to print as it is, also within a macro's quoted argument. */
static void add_plain(struct buf *b, const char *text)
{
	static const struct {
		char c;
		const char *troff;
	} special[] = {
		{ '\\', "\\e" }, { '-', "\\-" }, { '"', "\\(dq" }, { '\'', "\\(aq" },
		{ '`', "\\(ga" }, { '^', "\\(ha" }, { '~', "\\(ti" }, { '\n', " " },
	};
	for (; *text != '\0'; text++) {
		size_t i = 0;
		while (i < sizeof special / sizeof *special && special[i].c != *text)
			i++;
		if (i < sizeof special / sizeof *special)
			buf_add_str(b, special[i].troff);
		else
			buf_add_char(b, *text);
	}
}

/* A line that is no macro, whatever it begins with. */
static void add_line(struct buf *b, const char *text)
{
	buf_add_str(b, "\\&");
	add_plain(b, text);
	buf_add_char(b, '\n');
}

static void add_upper(struct buf *b, const char *text)
{
	for (; *text != '\0'; text++)
		buf_add_char(b, *text >= 'a' && *text <= 'z' ? (char)(*text - 32) : *text);
}

static void add_option(struct buf *b, const struct pb_option *o)
{
	struct buf type = BUF_INIT(b->limit);
	explain_type(&type, o);
	if (o->value == NULL)
		buf_add_str(&type, "; required");
	else if (*o->value != '\0')
		buf_printf(&type, "; default %s", o->value);
	buf_add_str(b, ".TP\n.BR \"");
	add_plain(b, o->name);
	buf_add_str(b, "\" \" (");
	add_plain(b, type.data == NULL ? "" : type.data);
	buf_add_str(b, ")\"\n");
	add_line(b, o->help);
	buf_free(&type);
}

static void add_table(struct buf *b, const struct pb_option *table)
{
	for (const struct pb_option *o = table; o != NULL && o->name != NULL; o++)
		add_option(b, o);
}

/* What must be written, as it stands in the file. */
static void add_synopsis(struct buf *b, const struct pb_plugin *p, const struct explain_part *part)
{
	buf_printf(b, ".PP\n.nf\n.RS\n[%s \\fINAME\\fR]\nplugin = ", config_kind_name(part->kind));
	add_plain(b, p->name);
	buf_add_char(b, '\n');
	for (const struct pb_option *o = part->options; o != NULL && o->name != NULL; o++)
		if (o->value == NULL) {
			add_plain(b, o->name);
			buf_add_str(b, " = ...\n");
		}
	buf_add_str(b, ".RE\n.fi\n");
}

static void add_part(struct buf *b, const struct explain_part *part)
{
	const char *kind = config_kind_name(part->kind);
	buf_add_str(b, ".SH ");
	add_upper(b, kind);
	buf_add_str(b, " OPTIONS\n");
	add_table(b, part->options);
	struct buf names = BUF_INIT(b->limit);
	explain_names(&names, config_common_table(part->kind));
	buf_printf(b, ".PP\nThe options that all %ss share are described in\n"
		   ".BR patchbay.ini (5):\n", kind);
	add_line(b, names.data == NULL ? "" : names.data);
	buf_free(&names);
}

void explain_plugin_man(struct buf *b, const struct pb_plugin *p)
{
	struct explain_part parts[CONFIG_KINDS];
	size_t n = explain_parts(p, parts);
	buf_add_str(b, ".TH PATCHBAY\\-");
	add_upper(b, p->name);
	buf_add_str(b, " 7 \"\" \"patchbay " PACKAGE_VERSION "\" \"patchbay plugins\"\n"
		    ".SH NAME\npatchbay\\-");
	add_plain(b, p->name);
	buf_add_str(b, " \\- ");
	add_plain(b, p->summary);
	buf_add_str(b, "\n.SH SYNOPSIS\n");
	for (size_t i = 0; i < n; i++)
		add_synopsis(b, p, &parts[i]);
	for (size_t i = 0; i < n; i++)
		add_part(b, &parts[i]);
	buf_add_str(b, ".SH SEE ALSO\n.BR patchbay (1),\n.BR patchbay.ini (5);\n" GUIDES);
}

static const char ini_head[] =
	".TH PATCHBAY.INI 5 \"\" \"patchbay " PACKAGE_VERSION "\" \"patchbay\"\n"
	".SH NAME\n"
	"patchbay.ini \\- configuration of patchbay\n"
	".SH DESCRIPTION\n"
	"A configuration is an INI file of sections.\n"
	"The word that begins a section says what it is, the next one names it:\n"
	".PP\n.nf\n.RS\n"
	"[source hooks]\n"
	"plugin = http\n"
	"listen = 127.0.0.1:8080\n"
	"token  = ${file:/etc/patchbay/hooks.token}\n"
	"\n"
	"[sink team]\n"
	"plugin = webhook\n"
	"url    = https://hooks.example.com/T000/B000\n"
	"\n"
	"[route runs]\n"
	"from   = hooks\n"
	"events = report_run_*\n"
	"to     = team\n"
	".RE\n.fi\n"
	".PP\n"
	"A name has 1 to 64 of a\\-z, 0\\-9, _ and \\-, and begins with a letter or digit.\n"
	"A section, and an option within it, may stand once.\n"
	"An event that several routes want is delivered on each; one that no route wants is\n"
	"accepted and counted.\n"
	".SS Lines\n"
	"White space around an option and its value does not count.\n"
	"A line that begins with # or ; is a comment; within a value they are themselves.\n"
	"A line that ends in a backslash goes on in the next one, whose indentation vanishes with the\n"
	"backslash; no other line may be indented.\n"
	"A file is UTF\\-8; a value has at most 64 KiB.\n"
	".SS Values\n"
	"A list has commas between its items; an item with spaces, commas or quotes stands in double\n"
	"quotes, in which \\(rs\\(dq and \\(rs\\(rs stand for a quote and a backslash.\n"
	"A duration has a unit: 250ms, 30s, 5m, 2h, 7d.\n"
	"A size is in bytes or has one: 512, 64KiB, 16MiB, 10GiB (powers of 1024) or kB, MB, GB\n"
	"(powers of 1000).\n"
	"An address is HOST:PORT, [V6]:PORT or unix:/PATH, with udp:, tcp: or tls: before the first\n"
	"two where a plugin knows several.\n"
	"In a template, {{type}} or another attribute, and {{data.FIELD}} of a JSON body, stand for\n"
	"their text, {{json X}} for it as JSON, {{url X}} percent\\-encoded.\n"
	".SS Secrets\n"
	"${env:NAME}, ${file:PATH} and ${cred:NAME} in a value stand for an environment variable, a\n"
	"file less one newline at its end, and a credential of the systemd service.\n"
	"They are filled in before the value is read, and never printed; $${ stands for ${ itself.\n"
	".SS Included files\n"
	"The option\n.B include\n"
	"of [patchbay] names further files, relative to its own.\n"
	"A glob that matches nothing is fine; matches are read in order of their names.\n"
	"In an included file [patchbay] may hold\n.B include\nonly.\n";

static const char ini_tail[] =
	".SH FILES\n"
	".I " PATCHBAY_CONFIG_FILE "\n"
	".SH SEE ALSO\n"
	".BR patchbay (1);\n"
	"each plugin has a page of its own, such as\n"
	".BR patchbay\\-http (7);\n"
	GUIDES;

void explain_ini_man(struct buf *b)
{
	buf_add_str(b, ini_head);
	buf_add_str(b, ".SH THE CORE\nThese stand in [patchbay].\n");
	add_table(b, config_core_table);
	for (enum config_kind kind = 0; kind < CONFIG_KINDS; kind++) {
		const char *name = config_kind_name(kind);
		buf_add_str(b, ".SH ");
		add_upper(b, name);
		buf_printf(b, "S\nThese stand in every [%s \\fINAME\\fR], beside its plugin's own.\n",
			   name);
		add_table(b, config_common_table(kind));
	}
	buf_add_str(b, ".SH ROUTES\nThese stand in [route \\fINAME\\fR].\n");
	add_table(b, config_route_table);
	buf_add_str(b, ini_tail);
}
