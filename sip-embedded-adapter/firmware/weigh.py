#!/usr/bin/env python3
"""Weighs a linked firmware: sections, the largest symbols, and the deepest stack, from nothing but the ELF.

usage: weigh.py ELF [--flash OCTETS] [--ram OCTETS] [--stack OCTETS] [--state SYMBOL]

The stack is the longest path through the call graph from the reset vector. Frames are read from the code: what a function
pushes and takes off its stack pointer. A call through a register that was loaded with a constant calls that one (it is
how code is made small that calls one function often). Any other has no callee in the code, so each function with one
is named in INDIRECT with what it may call; one that is not named there, a cycle, and a stack pointer moved by a
register are errors: then there is no bound.
"""
import argparse
import re
import subprocess
import sys

# Who calls through a register: which of the functions whose address stands in the program it may reach.
INDIRECT = [
    # What keeps a message calls back what writes it.
    (r"::write_by$", r"(ua|transaction|dialog)::.*\{closure|::call_once"),
    # What keeps a response calls back what follows its head.
    (r"::write_response::\{closure", r"::(respond_with|finish|write_trying)::\{closure"),
    # What is wrong with a message: one check for each header.
    (r"::incomplete$", r"parse::incomplete::\{closure|::is_call_id$|::call_once"),
    # What ends a CANCEL or a stateless reply is written by who sends it; the reply itself by one of two functions.
    (r"::cancel::\{closure", r"sip_core::ua::.*cancel.*\{closure"),
    (r"::reply::\{closure", r"sip_core::ua::.*(reply|refuse|describe).*\{closure"),
    (r"::add_reply$", r"::(reply|reply_malformed)::\{closure"),
    # The realm that answers a challenge: by its name, or the one that has none.
    (r"::credential_for::.*\{closure", r"::credential_for::.*\{closure|::call_once"),
    # The session of a realm is found in texts that one function lends.
    (r"Sessions>?::find$", r"Answers>?::has.*\{closure|::take_authentication_info::\{closure#\d+\}::\{closure"),
    # Headers that occur once: one function reads each value.
    (r"Message>?::single", r"message::.*::parse$|message::.*\{closure|::call_once"),
]


def tool(name, *arguments):
    return subprocess.run(["arm-none-eabi-" + name, *arguments], check=True, capture_output=True, text=True).stdout


class Function:
    def __init__(self, address, name):
        self.address, self.name = address, name
        self.frame, self.calls, self.indirect, self.words = 0, set(), False, []
        self.code = []
        # Called through a register by who loaded it.
        self.followed = False
        # The most that a part of the function takes which the compiler has put elsewhere, to share it.
        self.shared = 0

    def is_part(self):
        """Whether this is a few instructions that several functions have in common, and no function of its own."""
        return self.name.startswith("OUTLINED_FUNCTION")


def disassemble(elf):
    """The functions by address, with their frames and whom they call."""
    functions, function, literals = {}, None, {}
    for line in tool("objdump", "-d", "-C", "--no-show-raw-insn", elf).splitlines():
        head = re.match(r"^([0-9a-f]{8}) <(.*)>:$", line)
        if head:
            function = functions[int(head[1], 16)] = Function(int(head[1], 16), head[2])
            continue
        code = re.match(r"^ +([0-9a-f]+):\t(\S+)(?:\t(.*))?$", line)
        if not code or function is None:
            continue
        if code[2] == ".word":
            literals[int(code[1], 16)] = int(code[3].split()[0], 16)
        function.code.append((code[2].removesuffix(".n").removesuffix(".w"), code[3] or ""))
    for function in functions.values():
        for name, operands in function.code:
            count(function, functions, name, operands)
    for function in functions.values():
        if not function.is_part():
            follow(function, function.code, functions, literals, {})
            function.frame += function.shared
    return functions


def count(function, functions, name, operands):
    """Takes the stack and the plain calls of one instruction into account."""
    if name in ("push", "vpush", "stmdb", "vstmdb"):
        if name.endswith("push") or operands.startswith("sp!"):
            width = 8 if re.search(r"\{d", operands) else 4
            function.frame += width * registers(operands)
    elif name in ("sub", "subw") and re.match(r"sp,", operands):
        amount = re.search(r"#(\d+)", operands)
        if not amount:
            sys.exit(f"{function.name}: the stack pointer is moved by a register, so there is no bound")
        function.frame += int(amount[1])
    elif name in ("str", "strd") and (amount := re.search(r"\[sp, #-(\d+)\]!", operands)):
        function.frame += int(amount[1])
    elif name == ".word":
        function.words.append(int(operands.split()[0], 16))
    elif name in ("movw", "movt"):
        value = re.search(r"#(\d+)", operands)
        function.words.append((operands.split(",")[0], name, int(value[1]) if value else 0))
    elif (target := called(name, operands)) in functions and (target != function.address or name == "bl"):
        function.calls.add(target)


def called(name, operands):
    """The address to which an instruction branches or which it calls."""
    target = re.match(r"(bl?x?|b[a-z]{2}|cbn?z)$", name) and re.search(r"\b([0-9a-f]+) <", operands)
    return int(target[1], 16) if target else None


# Instructions whose first operand is no register that they write.
WRITES_NONE = re.compile(r"(str|cmp|cmn|tst|teq|push|stm|vstr|vpush|it|nop|bx$|b$|b[a-z]{2}$|cbn?z)")


def follow(function, code, functions, literals, held):
    """Follows the constants that registers hold, in the order of the code, to what is called through them."""
    for name, operands in code:
        target = called(name, operands)
        if target in functions and functions[target].is_part():
            function.shared = max(function.shared, functions[target].frame)
            follow(function, functions[target].code, functions, literals, held)
        elif name in ("blx", "bx") and (register := re.match(r"(r\d+|ip|fp|sl)$", operands.strip())):
            callee = held.get(register[1], 0) & ~1
            if callee in functions:
                function.calls.add(callee)
                functions[callee].followed = True
            else:
                function.indirect = True
        track(name, operands, literals, held)


def track(name, operands, literals, held):
    """What registers hold after an instruction."""
    first, _, rest = operands.partition(", ")
    literal = re.match(r"\[pc, #\d+\]\s*@ \(?([0-9a-f]+) <", rest)
    constant = re.match(r"#(\d+)", rest)
    if name == "ldr" and literal:
        held[first] = literals.get(int(literal[1], 16), 0)
    elif name == "mov" and rest in held:
        held[first] = held[rest]
    elif name == "movw" and constant:
        held[first] = int(constant[1])
    elif name == "movt" and constant:
        held[first] = held.get(first, 0) | int(constant[1]) << 16
    elif name in ("bl", "blx"):
        for register in ("r0", "r1", "r2", "r3", "ip", "lr"):
            held.pop(register, None)
    elif not WRITES_NONE.match(name):
        several = name in ("pop", "ldmia", "ldmdb", "ldrd", "umull", "smull", "umlal", "smlal")
        for register in re.findall(r"\b(?:r\d+|ip|fp|sl|lr)\b", operands if several else first):
            held.pop(register, None)


def registers(operands):
    """How many registers a list names."""
    count = 0
    for part in re.search(r"\{(.*)\}", operands)[1].split(","):
        ends = re.findall(r"\d+", {"fp": "r11", "ip": "r12", "lr": "r14", "sl": "r10"}.get(part.strip(), part))
        count += int(ends[-1]) - int(ends[0]) + 1
    return count


def taken(elf, functions):
    """The functions whose address stands in constants or code."""
    words = set()
    for function in functions.values():
        low = {}
        for word in function.words:
            if isinstance(word, int):
                words.add(word)
            elif word[1] == "movw":
                low[word[0]] = word[2]
            else:
                words.add(word[2] << 16 | low.get(word[0], 0))
        words |= {value for value in low.values()}
    for section in (".rodata", ".data"):
        for line in tool("objdump", "-s", "-j", section, elf).splitlines() if section in tool("objdump", "-h", elf) else []:
            row = re.match(r"^ [0-9a-f]+ ((?:[0-9a-f]+ ){1,4})", line)
            for word in row[1].split() if row else []:
                if len(word) == 8:
                    words.add(int.from_bytes(bytes.fromhex(word), "little"))
    return {address for address in functions if address | 1 in words}


def link_indirect(elf, functions):
    """Adds what is called through registers; says which."""
    named, candidates, report = set(), taken(elf, functions), []
    for function in [f for f in functions.values() if f.indirect]:
        rule = next((may for who, may in INDIRECT if re.search(who, function.name)), None)
        if rule is None:
            sys.exit(f"{function.name} calls through a register and is not named in INDIRECT")
        targets = {address for address in candidates if re.search(rule, functions[address].name)}
        if not targets:
            sys.exit(f"{function.name} calls through a register, and nothing it may call has its address taken")
        function.calls |= targets
        named |= targets
        report.append(f"called through a register by {function.name}: one of {len(targets)}")
    for address in sorted(address for address in candidates - named if not functions[address].followed):
        report.append(f"address taken, and no call to it named: {functions[address].name}")
    return report


def deepest(functions, start):
    """The longest path: octets, and the functions on it. A cycle ends the program."""
    done, path = {}, []

    def walk(address):
        if address in path:
            cycle = " -> ".join(functions[one].name for one in path[path.index(address):] + [address])
            sys.exit(f"the call graph has a cycle, so there is no bound: {cycle}")
        if address not in done:
            path.append(address)
            below = max((walk(callee) for callee in functions[address].calls), default=(0, ()))
            path.pop()
            done[address] = (functions[address].frame + below[0], (address, *below[1]))
        return done[address]

    sys.setrecursionlimit(10_000)
    return walk(start)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("elf")
    parser.add_argument("--start", default="Reset", help="where the walk begins")
    parser.add_argument("--flash", type=int, help="most octets of text and data")
    parser.add_argument("--ram", type=int, help="most octets of the state")
    parser.add_argument("--stack", type=int, help="most octets of stack")
    parser.add_argument("--state", help="the symbol of the state, else all of data and bss")
    options = parser.parse_args()

    text, data, bss = (int(number) for number in tool("size", options.elf).splitlines()[1].split()[:3])
    symbols = [
        (int(size, 16), kind, name)
        for size, kind, name in re.findall(r"^[0-9a-f]{8} ([0-9a-f]{8}) (\w) (.*)$", tool("nm", "-C", "-S", options.elf), re.M)
    ]
    state = data + bss
    if options.state:
        state = sum(size for size, _, name in symbols if name == options.state)
        if not state:
            sys.exit(f"no symbol {options.state}")
    functions = disassemble(options.elf)
    indirect = link_indirect(options.elf, functions)
    start = next((f.address for f in functions.values() if f.name == options.start), None)
    if start is None:
        sys.exit(f"no function {options.start}")
    stack, path = deepest(functions, start)

    print(f"text {text}, data {data}, bss {bss}; state {state}; stack at most {stack}, in octets")
    print("The ten largest functions and constants:")
    for size, _, name in sorted((s for s in symbols if s[1] in "tTrRdD"), reverse=True)[:10]:
        print(f"{size:7d} {name}")
    print("The deepest calls, each with its frame:")
    for address in path:
        print(f"{functions[address].frame:7d} {functions[address].name}")
    for line in indirect:
        print(line)
    print(f"no cycle among {len(functions)} functions")
    over = [
        f"{what} {found} of {most} octets"
        for what, found, most in (
            ("flash", text + data, options.flash),
            ("ram", state, options.ram),
            ("stack", stack, options.stack),
        )
        if most is not None and found > most
    ]
    if over:
        sys.exit("over the budget: " + ", ".join(over))


if __name__ == "__main__":
    main()
