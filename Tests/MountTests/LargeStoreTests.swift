import Glibc
import MountSupport
import Testing

/// Ten times as much takes about ten times as long.
///
/// `XSFS_LARGE=1` takes the sizes that are promised: a directory of 100,000, a store of 200,000,
/// and 10,000 keys to remove. They take minutes to fill, most of it in the stores themselves.
struct LargeStoreTests {
    private static let isFull = getenv("XSFS_LARGE") != nil
    private static let kinds = isFull ? StoreKind.allCases : [.embedded, .xenstored]
    private static let limit = Duration.seconds(isFull ? 1000 : 60)

    /// Takes a command's time, in milliseconds, to a file: that of a clock, and that which the
    /// mount and its store have worked, which does not grow where the machine is busy otherwise.
    private static func timed(_ mount: Mounted) -> String {
        let processes = [mount.daemon.id] + (mount.store.map { [$0.process.id] } ?? [])
        return """
            worked() {
                local sum=0 time rest
                for process in \(processes.map { "\($0)" }.joined(separator: " ")); do
                    for thread in /proc/$process/task/*; do
                        # Another thread of it may end just now.
                        read -r time rest < $thread/schedstat && sum=$((sum + time))
                    done 2>/dev/null
                done
                echo $sum
            }
            timed() { # FILE COMMAND
                local start=$(date +%s%N) before=$(worked)
                eval "$2" || return
                echo $((($(worked) - before) / 1000000)) > $T/$1
                echo "$1: $((($(date +%s%N) - start) / 1000000)) ms" >> $T/figures
            }

            """
    }

    /// How much longer the larger may take: the tenfold, and as much again, as caches are smaller
    /// than stores. What takes no time at all proves nothing, and is taken for 20 ms.
    private static let inProportion = """
        read small < $T/small; read large < $T/large
        echo "worked $small ms for the small, $large ms for the large" >> $T/figures
        [ $large -le $((20 * (small < 20 ? 20 : small))) ] || echo "$small ms, but $large ms"
        """

    @Test(.timeLimit(.minutes(20)), arguments: kinds)
    func aLargeDirectoryListsInProportion(kind: StoreKind) async throws {
        let (small, large) = Self.isFull ? (10_000, 100_000) : (1_000, 10_000)
        try await withMount(kind) { mount in
            try await mount.expect(
                Self.timed(mount) + """
                    "$TOOLS/populate" "$S" children /small \(small)
                    "$TOOLS/populate" "$S" children /large \(large)
                    timed small 'ls -f small > $T/names' && timed large 'ls -f large > $T/names'
                    sort $T/names | grep key- > $T/sorted
                    seq -f 'key-%05.0f' 0 \(large - 1) | sort | diff -q - $T/sorted

                    """ + Self.inProportion,
                limit: Self.limit
            )
            try await report("ls -f of \(small) and \(large)", mount)
        }
    }

    @Test(.timeLimit(.minutes(20)), arguments: kinds)
    func aLargeStoreIsWalked(kind: StoreKind) async throws {
        let directories = Self.isFull ? 2_000 : 100
        try await withMount(kind) { mount in
            try await mount.expect(
                Self.timed(mount) + """
                    "$TOOLS/populate" "$S" tree /small \(directories / 10)
                    "$TOOLS/populate" "$S" tree /large \(directories)
                    timed small 'find small -type f > $T/names'
                    timed large 'find large -type f > $T/names'
                    [ $(wc -l < $T/names) = \(directories * 99) ] || wc -l < $T/names
                    [ $(find large -type d | wc -l) = \(directories + 1) ] || echo directories

                    """ + Self.inProportion
                    + "\ngrep VmRSS /proc/\(mount.daemon.id)/status >> $T/figures",
                limit: Self.limit
            )
            try await report("find -type f of \(directories * 10) and \(directories * 100)", mount)
        }
    }

    @Test(.timeLimit(.minutes(20)), arguments: kinds)
    func aLargeTreeIsRemoved(kind: StoreKind) async throws {
        let directories = Self.isFull ? 100 : 20
        try await withMount(kind) { mount in
            try await mount.expect(
                Self.timed(mount) + """
                    "$TOOLS/populate" "$S" tree /small \(directories / 10)
                    "$TOOLS/populate" "$S" tree /large \(directories)
                    for tree in small large; do
                        timed $tree "rm -r $tree"
                        ! xenstore-exists /$tree || echo "$tree is still there"
                    done

                    """ + Self.inProportion,
                limit: Self.limit
            )
            try await report("rm -r of \(directories * 10) and \(directories * 100)", mount)
        }
    }

    /// Prints the figures of a full run.
    private func report(_ what: String, _ mount: Mounted) async throws {
        guard Self.isFull else { return }
        print("\(mount.kind.rawValue): \(what):", try await mount.output("cat $T/figures"))
    }
}
