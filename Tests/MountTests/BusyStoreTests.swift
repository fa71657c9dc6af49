import MountSupport
import Testing

/// A store that others change hundreds of times a second.
struct BusyStoreTests {
    /// What is left in the socket is taken before a question is answered.
    @Test(arguments: StoreKind.allCases)
    func whatIsAskedIsNewAllTheTime(kind: StoreKind) async throws {
        try await withMount(kind) { mount in
            try await mount.expect(
                """
                \(Self.steady)
                change(200)
                for n in range(300):
                    change(1)
                    store.write('/t/key', n)
                    assert open('t/key').read() == f'{n}\\n', n
                    store.write(f'/t/new{n}', n)
                    assert os.path.exists(f't/new{n}') and f'new{n}' in os.listdir('t'), n
                    store.remove(f'/t/new{n}')
                    assert not os.path.exists(f't/new{n}') and f'new{n}' not in os.listdir('t'), n
                END
                """,
                limit: patience * 2
            )
        }
    }

    /// A script's first lines: `change(count)` changes keys, about 800 in a second.
    private static let steady = """
        PYTHONPATH="$TOOLS" python3 - "$S" <<'END'
        import os, sys, time
        from xenstore import Store
        store = Store(sys.argv[1])
        def change(count):
            for n in range(count):
                store.write(f'/t/steady/{n % 10}', n)
                # The rate is what is tested.
                time.sleep(0.001)
        """
}
