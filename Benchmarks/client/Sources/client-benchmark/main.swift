// Times READs of one key through Xenstore: the counterpart of floors/store-loop.c.
//
//     client-benchmark batches|tasks|client|shared SOCKET KEY COUNT DEPTH
//
// Prints, like its counterpart,  count=... depth=... reads_per_second=...

import Glibc

func fail(_ reason: String, status: Int32) -> Never {
    var line = reason + "\n"
    _ = line.withUTF8 { write(STDERR_FILENO, $0.baseAddress, $0.count) }
    exit(status)
}

guard let measurement = Measurement(arguments: CommandLine.arguments.dropFirst()) else {
    fail("usage: client-benchmark batches|tasks|client|shared SOCKET KEY COUNT DEPTH", status: 2)
}
do {
    print(try measurement.run())
} catch {
    fail("client-benchmark: \(error)", status: 1)
}
