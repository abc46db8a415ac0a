# SPDX-License-Identifier: GPL-2.0
"""
One-line mutants of C in the kernel's style.

A file is cut into tokens; functions are what stands between braces in the first
column, and in these statements are told apart as far as mutations need it. What comes
out need not compile: who uses it throws that away.
"""
import hashlib
import re
from typing import NamedTuple

TOKEN = re.compile(
    r'(?P<skip>[ \t\n]+|//[^\n]*|/\*.*?\*/|^[ \t]*#(?:\\\n|[^\n])*)'
    r'|(?P<text>"(?:\\.|[^"\\])*"|\'(?:\\.|[^\'\\])*\')'
    r'|(?P<word>[A-Za-z_]\w*)'
    r'|(?P<number>0[xX][0-9a-fA-F]+[uUlL]*|\d+[uUlL]*)'
    r'|(?P<op><<=|>>=|\.\.\.|->|\+\+|--|<<|>>|<=|>=|==|!=|&&|\|\||[-+*/%&|^]=|.)',
    re.MULTILINE | re.DOTALL)

# What takes the place of an operator. Those of the second table have a form with one
# operand, too, which is left alone.
OPERATORS = {
    '<': ['<=', '>='], '<=': ['<'], '>': ['>=', '<='], '>=': ['>'], '==': ['!='], '!=': ['=='],
    '&&': ['||'], '||': ['&&'], '<<': ['>>'], '>>': ['<<'], '|': ['&'],
    '+=': ['-='], '-=': ['+='], '|=': ['&='], '&=': ['|='], '++': ['--'], '--': ['++'],
}
BINARY = {'+': ['-'], '-': ['+'], '&': ['|']}
WORDS = {
    'true': 'false', 'false': 'true',
    'GFP_KERNEL_ACCOUNT': 'GFP_KERNEL', 'GFP_ATOMIC': 'GFP_KERNEL', 'GFP_NOWAIT': 'GFP_KERNEL',
}

# Not to be dropped or moved: only KCSAN, lockdep or luck would see it.
ORDERING = re.compile(
    r'lock|barrier|^smp_|^preempt_|^local_irq|cond_resched|cpu_relax|^might_|^rcu_read|'
    r'^__acq|^__rel')
KEYWORDS = {'return', 'case', 'sizeof', 'else', 'do', 'goto'}
SIMPLE = {'return', 'break', 'continue', 'goto'}
ASSIGN = {'=', '+=', '-=', '*=', '/=', '%=', '&=', '|=', '^=', '<<=', '>>='}
OPEN, CLOSE = '([{', ')]}'
# Where an operand of && and || comes to its end.
BOUND = {'&&', '||', '?', ':', ',', ';', '{', '}', 'return'} | ASSIGN


class Token(NamedTuple):
    kind: str
    text: str
    start: int
    end: int


class Mutant(NamedTuple):
    """Replaces [start, end) of a file by text."""
    id: str
    file: str
    line: int
    function: str
    operator: str
    start: int
    end: int
    before: str
    after: str

    def apply(self, source):
        return source[:self.start] + self.after + source[self.end:]


class Statement(NamedTuple):
    kind: str           # of SIMPLE, 'expression', 'other'
    first: int          # tokens
    last: int


class Function:
    """The mutations of what stands in tokens [first, last], which are braces."""

    def __init__(self, source, tokens, first, last):
        self.source, self.tokens = source, tokens
        self.pairs = {}
        self.found = []
        self.match(first, last)
        self.block(first)
        for i in range(first + 1, last):
            self.token(i)

    def match(self, first, last):
        stack = []
        for i in range(first, last + 1):
            if self.text(i) in OPEN:
                stack.append(i)
            elif self.text(i) in CLOSE:
                other = stack.pop()
                self.pairs[i], self.pairs[other] = other, i

    def text(self, i):
        return self.tokens[i].text

    def add(self, operator, first, last, after):
        """Tokens [first, last] become the text after, on as many lines."""
        start, end = self.tokens[first].start, self.tokens[last].end
        lines = self.source.count('\n', start, end) - after.count('\n')
        self.found.append((operator, start, end, after + '\n' * lines))

    def span(self, first, last):
        return self.source[self.tokens[first].start:self.tokens[last].end]

    # Statements

    def block(self, i):
        """From an opening brace; returns what comes after the closing one."""
        end = self.pairs[i]
        before = None
        i += 1
        while i < end:
            here, i = self.statement(i)
            if before and before.kind == here.kind == 'expression' and \
                    not self.are_apart(before, here):
                gap = self.source[self.tokens[before.last].end:self.tokens[here.first].start]
                self.add('swap statements', before.first, here.last,
                         self.span(here.first, here.last) + gap +
                         self.span(before.first, before.last))
            before = here
        return end + 1

    def are_apart(self, one, other):
        """Two assignments of which neither needs the other: their order is nothing."""
        target, other_target = self.target(one), self.target(other)
        return target and other_target and \
            target not in self.span(other.first, other.last) and \
            other_target not in self.span(one.first, one.last)

    def target(self, statement):
        """What is assigned to, if nothing else may happen."""
        ends = [i for i in self.flat(statement.first, statement.last) if self.text(i) in ASSIGN]
        calls = re.search(r'\w\(', self.span(statement.first, statement.last))
        return self.span(statement.first, ends[0] - 1) if ends and not calls else None

    def statement(self, i):
        """Returns the one at token i, and the index of what comes after it."""
        first, text = i, self.text(i)
        if text == '{':
            i = self.block(i)
        elif text in ('case', 'default') or (self.tokens[i].kind == 'word' and
                                             self.text(i + 1) == ':'):
            while self.text(i) != ':':
                i += 1
            i += 1
        elif text == 'do':
            _, i = self.statement(i + 1)
            i = self.end(i) + 1
        elif text == 'else':
            _, i = self.statement(i + 1)
        elif self.tokens[i].kind == 'word' and self.text(i + 1) == '(' and \
                text not in SIMPLE and self.is_control(i):
            self.condition(text, i + 1, self.pairs[i + 1])
            _, i = self.statement(self.pairs[i + 1] + 1)
            if i in self.pairs or self.text(i) == 'else':
                if self.text(i) == 'else':
                    _, i = self.statement(i)
        else:
            return self.simple(first)
        return Statement('other', first, i - 1), i

    def is_control(self, i):
        """if, for ..., or a macro that has a statement of its own, as list_for_each()."""
        after = self.tokens[self.pairs[i + 1] + 1]
        return self.text(i) in ('if', 'while', 'for', 'switch') or \
            after.kind == 'word' or after.text == '{'

    def end(self, i):
        while self.text(i) != ';':
            i = self.pairs[i] + 1 if self.text(i) in OPEN else i + 1
        return i

    def simple(self, first):
        last = self.end(first)
        text, kind = self.text(first), 'other'
        words = [self.text(i) for i in range(first, last) if self.tokens[i].kind == 'word']
        if text in SIMPLE:
            kind = text
            self.add('drop ' + text, first, last, ';')
            value = self.span(first + 1, last - 1) if last - first > 1 else ''
            if text == 'return' and value:
                self.add('return value', first, last,
                         'return -EINVAL;' if value == '0' else 'return 0;')
        elif first < last and self.is_expression(first) and not any(map(ORDERING.search, words)):
            kind = 'expression'
            assigns = any(self.text(i) in ASSIGN for i in self.flat(first, last))
            self.add('drop assignment' if assigns else 'drop call', first, last, ';')
        return Statement(kind, first, last), last + 1

    def flat(self, first, last):
        """The tokens that are in no brackets."""
        i = first
        while i < last:
            yield i
            i = self.pairs[i] if self.text(i) in OPEN else i + 1

    def is_expression(self, i):
        """And no declaration."""
        if self.text(i) in ('*', '++', '--', '('):
            return True
        return self.tokens[i].kind == 'word' and self.tokens[i + 1].kind == 'op' and \
            (self.text(i + 1) != '*')

    def condition(self, text, first, last):
        if text not in ('if', 'while'):
            return
        inside = self.span(first + 1, last - 1)
        self.add('never', first, last, f'(({inside}) && 0)')
        if text == 'if':
            self.add('always', first, last, f'(({inside}) || 1)')
            self.add('negate', first, last, f'(!({inside}))')

    # Expressions

    def operand(self, i, step):
        """The outermost token of what stands on that side of the operator i."""
        i += step
        last = None
        while self.text(i) not in BOUND and self.text(i) not in (CLOSE if step > 0 else OPEN):
            if self.text(i) in (OPEN if step > 0 else CLOSE):
                i = self.pairs[i]
            last = i
            i += step
        return last

    def token(self, i):
        token, before = self.tokens[i], self.tokens[i - 1]
        after = self.tokens[i + 1]
        if token.kind == 'number':
            self.constant(i)
        elif token.text in WORDS:
            self.add('constant', i, i, WORDS[token.text])
        elif token.text == 'gfp' and before.text in '(,' and after.text in '),':
            self.add('constant', i, i, 'GFP_KERNEL')
        elif re.fullmatch(r'E[A-Z0-9]{2,}', token.text) and before.text == '-':
            self.add('errno', i, i, 'EPERM' if token.text == 'EINVAL' else 'EINVAL')
        elif token.text in OPERATORS:
            for other in OPERATORS[token.text]:
                self.add('operator', i, i, other)
        elif token.text in BINARY and before.text not in KEYWORDS and \
                (before.kind in ('word', 'number') or before.text in ')]'):
            for other in BINARY[token.text]:
                self.add('operator', i, i, other)
        elif token.text == '!':
            self.add('drop !', i, i, '')
        elif token.text == '?':
            first = self.operand(i, -1)
            if first:
                self.add('negate', first, i - 1, f'!({self.span(first, i - 1)})')
        if token.text in ('&&', '||'):
            first, last = self.operand(i, -1), self.operand(i, 1)
            if first and last:
                self.add('drop operand', first, i, '')
                self.add('drop operand', i, last, '')

    def constant(self, i):
        for after in off_by_one(self.text(i)):
            self.add('constant', i, i, after)


def off_by_one(number):
    match = re.fullmatch(r'(0[xX][0-9a-fA-F]+|\d+)([uUlL]*)', number)
    value = int(match[1], 16 if match[1][:2].lower() == '0x' else 10)
    return [f'{value + step}{match[2]}' for step in (1, -1) if value + step >= 0]


def tokens_of(source):
    return [Token(m.lastgroup, m[0], m.start(), m.end()) for m in TOKEN.finditer(source)
            if m.lastgroup != 'skip']


def functions_of(source, tokens):
    """Pairs of tokens: the braces in the first column. A struct's are not closed alone."""
    first = None
    for i, token in enumerate(tokens):
        at_start = source[token.start - 1:token.start] in ('\n', '')
        if token.text == '{' and at_start:
            first = i
        elif token.text == '}' and at_start and first:
            yield first, i
            first = None


def name_of(tokens, brace):
    """The word in front of the last brackets that are open before a function's brace."""
    i, depth = brace - 1, 0
    while i > 0:
        depth += (tokens[i].text == ')') - (tokens[i].text == '(')
        if depth == 0 and tokens[i].text == '(' and not tokens[i - 1].text.startswith('__'):
            return tokens[i - 1].text
        i -= 1
    return ''


# Constants with a name, and variables that have a value from the start.
OUTSIDE = re.compile(r'^(?:#define[ \t]+\w+[ \t]+|(?:static |unsigned |int |long )+\w+ = )(\d+)\b',
                     re.MULTILINE)


def raw_mutations(source):
    """Yields (function, operator, start, end, after)."""
    tokens = tokens_of(source)
    for first, last in functions_of(source, tokens):
        name = name_of(tokens, first)
        for found in Function(source, tokens, first, last).found:
            yield (name, *found)
    for match in OUTSIDE.finditer(source):
        for after in off_by_one(match[1]):
            yield ('', 'constant', *match.span(1), after)


def lines_of(source, start, end):
    """The lines that [start, end) touches, as one, without what indents them."""
    first = source.rfind('\n', 0, start) + 1
    last = source.find('\n', end)
    return ' '.join(source[first:last].split())


def mutants_of(file, source):
    """All of one file, in the order of its lines."""
    found, seen = [], {}
    for function, operator, start, end, after in raw_mutations(source):
        line = lines_of(source, start, end)
        column = start - source.rfind('\n', 0, start)
        # By what is said there, so that it stays when lines above come and go.
        key = '\0'.join((file, function, line, operator, str(column), after))
        seen[key] = seen.get(key, 0) + 1
        digest = hashlib.sha256(f'{key}\0{seen[key]}'.encode()).hexdigest()[:10]
        found.append(Mutant(digest, file, source.count('\n', 0, start) + 1, function, operator,
                            start, end, source[start:end], after))
    return sorted(found, key=lambda mutant: (mutant.start, mutant.id))
