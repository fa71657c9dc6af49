import MountSupport
import Testing

/// What values read and write as, and where they are reached.
struct ValueTests {
    @Test(arguments: StoreKind.allCases)
    func textGetsANewlineAndGivesItBack(kind: StoreKind) async throws {
        try await withMount(kind) { mount in
            // What is written, what is stored, what is read.
            try await mount.expect(
                #"""
                mkdir t
                for text in 'a' 'a\n' 'a\n\n' '\na' 'a\0b' '' '\n' 'a b"\\' '\n\n'; do
                    printf "$text" > t/v && xenstore-ls -f | grep ^/t/v
                    cat t/v | od -An -c
                    [ "$(stat -c %s t/v)" = "$(wc -c < t/v)" ] || echo wrong size
                    [ -s t/v ] && echo not empty
                done
                """#,
                prints: #"""
                    /t/v = "a"
                       a  \n
                    not empty
                    /t/v = "a"
                       a  \n
                    not empty
                    /t/v = "a\n"
                       a  \n  \n
                    not empty
                    /t/v = "\na"
                      \n   a  \n
                    not empty
                    /t/v = "a\000b"
                       a  \0   b  \n
                    not empty
                    /t/v = ""
                    /t/v = ""
                    /t/v = "a b"\\"
                       a       b   "   \  \n
                    not empty
                    /t/v = "\n"
                      \n  \n
                    not empty

                    """#
            )
        }
    }

    @Test(arguments: StoreKind.allCases)
    func rawIsRawBothWays(kind: StoreKind) async throws {
        try await withMount(kind, MountSettings(options: "raw")) { mount in
            try await mount.expect(
                """
                mkdir t
                echo a > t/v && xenstore-ls -f | grep ^/t/v && stat -c %s t/v
                printf a > t/v && xenstore-ls -f | grep ^/t/v && stat -c %s t/v && cat t/v
                echo b >> t/v && cat t/v && xenstore-write /t/v ccc && stat -c %s t/v
                printf '\\n' > t/v && xenstore-ls -f | grep ^/t/v
                """,
                prints: #"""
                    /t/v = "a\n"
                    2
                    /t/v = "a"
                    1
                    aab
                    3
                    /t/v = "\n"

                    """#
            )
        }
    }

    @Test(arguments: StoreKind.allCases, [nil, "raw"])
    func anyBytesSurviveACopy(kind: StoreKind, options: String?) async throws {
        try await withMount(kind, MountSettings(options: options)) { mount in
            try await mount.expect(
                """
                python3 - <<'END'
                import os
                every = bytes(range(256))
                for name, value in {
                    "every": every, "reverse": every[::-1] * 4, "newline": b"a\\n", "nul": b"\\0",
                    "large": b"x" * 1999 + b"\\n", "utf8": "é".encode(), "empty": b"",
                }.items():
                    os.makedirs("t/source", exist_ok=True)
                    open(f"t/source/{name}", "w").close()
                    os.setxattr(f"t/source/{name}", "user.xenstore.value", value)
                END
                mkdir $T/out t/back t/tar && cp -r t/source t/copy
                cp t/source/* $T/out && cp $T/out/* t/back
                tar cf - -C t/source . | tar xf - -C t/tar
                cat > $T/values <<'END'
                import os, sys
                for name in sorted(os.listdir(sys.argv[1])):
                    print(name, os.getxattr(f"{sys.argv[1]}/{name}", "user.xenstore.value"))
                END
                python3 $T/values t/source > $T/a && wc -l < $T/a
                for copy in t/copy t/back t/tar; do
                    python3 $T/values $copy | diff $T/a -
                done
                """,
                prints: "7\n"
            )
        }
    }
}
