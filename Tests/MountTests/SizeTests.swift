import MountSupport
import Testing

/// The size that a program sees of a file is what it can read.
struct SizeTests {
    /// busybox cat, Go's io.Copy and others read so, without fstat(2): the kernel reads as far as
    /// it takes the file to be.
    @Test(arguments: StoreKind.allCases, [nil, "noinotify", "cache=watch"])
    func aReaderInTheKernelGetsTheWholeValue(kind: StoreKind, options: String?) async throws {
        try await withMount(kind, MountSettings(options: options)) { mount in
            try await mount.expect(
                """
                cat > $T/readers.py <<'END'
                import os, subprocess
                reader, writer = os.pipe()
                # The kernel may keep the value before until the store's event comes.
                cached = \(options == "cache=watch" ? "True" : "False")
                def pass_on(call):
                    taken = b""
                    while count := call():
                        taken += os.read(reader, count)
                    return taken
                def copy(file):
                    with open("t/copy.tmp", "wb+") as target:
                        while os.copy_file_range(file, target.fileno(), 65536): pass
                        target.seek(0)
                        return target.read()
                readers = {
                    "sendfile": lambda f: pass_on(lambda: os.sendfile(writer, f, None, 65536)),
                    "splice": lambda f: pass_on(lambda: os.splice(f, writer, 65536)),
                    "copy_file_range": copy,
                }
                # New names, names of a listing, and of stat(2): longer and shorter by turns.
                subprocess.run(["xenstore-write", "/t/listed", "x", "/t/seen", "x"], check=True)
                os.listdir("t"); os.stat("t/seen")
                missed = []
                for name in ["new", "listed", "seen"]:
                    for length in [3, 40, 7, 200, 200, 1, 0, 1000, 999, 1001]:
                        for call, read in readers.items():
                            value = (name + call)[:1] * length
                            subprocess.run(["xenstore-write", "/t/" + name, value], check=True)
                            wanted = value and value + "\\n"
                            while cached and os.stat("t/" + name).st_size != len(wanted): pass
                            file = os.open("t/" + name, os.O_RDONLY)
                            taken = read(file).decode()
                            os.close(file)
                            if taken != wanted:
                                missed.append((name, call, len(taken), len(wanted)))
                            os.stat("t/" + name)
                # The kernel keeps a size by itself, and may go by it for a moment: a few of the 90.
                if len(missed) > (9 if cached else 0): print(missed)
                END
                python3 $T/readers.py
                """,
                limit: patience * 3
            )
        }
    }

    /// Beside the process that raises inotify events, which touches the file for each change.
    @Test(arguments: StoreKind.allCases)
    func aReaderInTheKernelGetsTheWholeValueWhileItChanges(kind: StoreKind) async throws {
        try await withMount(kind) { mount in
            try await mount.expect(
                """
                cat > $T/beside.py <<'END'
                import os, random, subprocess, sys, threading, time
                sys.path.insert(0, "\(Tool.scripts)")
                from xenstore import Store
                store, key, ended = Store(os.environ["S"]), "/t/key", threading.Event()
                def value(number, length): return f"{length}:".ljust(length, chr(97 + number % 26))
                store.write(key, value(0, 9))
                watcher = subprocess.Popen(["inotifywait", "-mq", "t"], stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL)
                def change():
                    number = 0
                    while not ended.is_set():
                        number += 1
                        store.write(key, value(number, random.randrange(9, 1200)))
                        time.sleep(random.random() / 100)
                writer = threading.Thread(target=change); writer.start()
                # Each value says how long it is.
                def is_whole(taken):
                    length = int(taken.split(b":")[0])
                    filler = taken[len(str(length)) + 1:-1]
                    return len(taken) == length + 1 and not filler.strip(filler[:1])
                out, into = os.pipe(); missed = []
                for number in range(8000):
                    file = os.open("t/key", os.O_RDONLY)
                    # cp, cat and others do so first.
                    if number % 2: os.fstat(file)
                    taken = b""
                    while count := os.sendfile(into, file, None, 65536):
                        taken += os.read(out, count)
                    os.close(file)
                    if not is_whole(taken): missed.append((number, len(taken), taken[:9]))
                ended.set(); writer.join(); watcher.terminate(); watcher.wait()
                if missed: print(len(missed), missed[:9])
                END
                python3 $T/beside.py
                """,
                limit: patience * 3
            )
        }
    }

    /// Files that are no key's, too: a program that is given the size 0 copies nothing.
    @Test(arguments: StoreKind.allCases)
    func everyFileHasItsSize(kind: StoreKind) async throws {
        try await withMount(kind) { mount in
            try await mount.expect(
                """
                mkdir t; for word in a longer "the longest of all"; do
                    xenstore-write /t/k "$word"; busybox cat t/k
                done
                mkdir .txn/t && echo 1 > .txn/t/t/k && xenstore-write /t/k 2
                busybox cat .txn/t/.changes
                ! mv .txn/t .txn/commit 2>/dev/null && cat .txn/.conflict > $T/conflict
                [ -s $T/conflict ] || echo no conflict
                for file in .xsfs/status .xsfs/ctl .txn/.conflict; do
                    count=$(cat $file | wc -l)
                    [ "$(busybox cat $file | wc -l)" = $count ] || echo busybox $file
                    [ "$(tar -cf - $file | tar -xOf - | wc -l)" = $count ] || echo tar $file
                    rsync $file $T/copy; [ "$(wc -l <$T/copy)" = $count ] || echo rsync $file
                    python3 -c "import shutil; shutil.copyfile('$file', '$T/other')"
                    [ "$(wc -l <$T/other)" = $count ] || echo shutil $file
                    stat -c %s $file | grep -qx 0 && echo $file has the size 0
                done; :
                """,
                prints: "a\nlonger\nthe longest of all\nwrite /t/k\n"
            )
        }
    }

    @Test(arguments: StoreKind.allCases)
    func aTruncatedFileHasTheSizeOfItsHandle(kind: StoreKind) async throws {
        try await withMount(kind, MountSettings(options: "raw")) { mount in
            try await mount.expect(
                """
                cat > $T/sizes.py <<'END'
                import os, subprocess, threading
                def store(): return subprocess.check_output(["xenstore-read", "/t/k"])[:-1]
                def size(file): return os.fstat(file).st_size
                def end(file): return os.lseek(file, 0, os.SEEK_END)
                os.mkdir("t"); open("t/k", "w").write("A" * 276)

                file = os.open("t/k", os.O_RDWR)
                os.ftruncate(file, 100)
                sizes = [size(file), end(file), size(os.dup(file)), os.stat("t/k").st_size]
                thread = threading.Thread(target=lambda: sizes.append(size(file)))
                thread.start(); thread.join()
                if not (child := os.fork()):
                    os._exit((size(file), end(file)) != (100, 100))
                print(sizes, os.waitpid(child, 0)[1])
                os.pwrite(file, b"B", end(file))
                print(size(file), store() == b"A" * 100 + b"B")
                os.ftruncate(file, 120); print(size(file), end(file), len(os.pread(file, 999, 0)))
                os.close(file); print(open("t/k", "rb").read() == b"A" * 100 + b"B" + bytes(19))

                # O_TRUNC, and what seeks to the end of it.
                file = os.open("t/k", os.O_WRONLY | os.O_TRUNC)
                print(size(file), end(file)); os.write(file, b"new"); print(size(file), store())
                os.close(file)

                # What others append meanwhile is not overwritten with zeros.
                file = os.open("t/k", os.O_RDWR)
                print(os.read(file, 99)); subprocess.run(["xenstore-write", "/t/k", "newer"])
                os.pwrite(file, b"!", end(file)); print(store()); os.close(file)

                # Two files of one program, one of them for appending.
                first, second = os.open("t/k", os.O_RDWR), os.open("t/k", os.O_WRONLY | os.O_APPEND)
                os.write(second, b" one"); print(size(first), os.pread(first, 99, 0), end(second))
                os.close(first); os.close(second)
                END
                python3 $T/sizes.py
                """,
                prints: """
                    [100, 100, 100, 100, 100] 0
                    101 True
                    120 120 120
                    True
                    0 0
                    3 b'new'
                    b'new'
                    b'newer!'
                    10 b'newer! one' 10

                    """
            )
        }
    }

    @Test(arguments: StoreKind.allCases)
    func anotherProgramSeesTheValueOfTheStore(kind: StoreKind) async throws {
        try await withMount(kind) { mount in
            try await mount.expect(
                """
                echo value > key; echo value > cut; mkfifo $T/go $T/done
                python3 -c '
                import os
                file = os.open("cut", os.O_RDWR); os.ftruncate(file, 2)
                other = os.open("key", os.O_WRONLY | os.O_TRUNC)
                print(os.fstat(file).st_size, os.fstat(other).st_size, flush=True)
                open(os.environ["T"] + "/go", "w").close()
                open(os.environ["T"] + "/done").read()
                ' & writer=$!
                cat $T/go; stat -c %s key cut; cat key cut; [ -s key ] && echo not empty
                echo > $T/done; wait $writer; stat -c %s key cut
                """,
                prints: "2 0\n6\n6\nvalue\nvalue\nnot empty\n0\n3\n"
            )
        }
    }

    @Test(arguments: StoreKind.allCases, [nil, "cache=watch"])
    func whatStatShowsCanBeRead(kind: StoreKind, options: String?) async throws {
        try await withMount(kind, MountSettings(options: options)) { mount in
            try await mount.expect(
                """
                cat > $T/on.py <<'END'
                import os, subprocess
                def put(value): subprocess.run(["xenstore-write", "/k", value], check=True)
                put("12345")
                file = os.open("k", os.O_RDONLY)
                print(os.read(file, 6)); put("1234567890")
                print(os.fstat(file).st_size, os.read(file, 100), os.read(file, 100))
                # Not read yet: all of the value of which the size is.
                file = os.open("k", os.O_RDONLY); put("abc")
                print(os.fstat(file).st_size, os.read(file, 100), os.read(file, 100))
                END
                python3 $T/on.py
                """,
                prints: """
                    b'12345\\n'
                    11 b'7890\\n' b''
                    4 b'abc\\n' b''

                    """
            )
        }
    }
}
