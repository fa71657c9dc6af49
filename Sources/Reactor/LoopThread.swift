import Glibc
public import SystemPackage

extension EventLoop {
    /// Makes a loop and a thread that runs it until ``stop()``. SIGPIPE does not come there.
    ///
    /// - Throws: the error of pipe(2) or of pthread_create(3).
    public static func startThread() throws(Errno) -> EventLoop {
        let loop = try EventLoop()
        // Or this thread's first jobs would go where the new thread works already.
        loop.disown()
        var thread = pthread_t()
        let context = Unmanaged.passRetained(loop).toOpaque()
        let code = pthread_create(
            &thread,
            nil,
            { context in
                guard let context else { return nil }
                // A closed peer is an error here, whatever the process does about the signal.
                var brokenPipe = sigset_t()
                sigemptyset(&brokenPipe)
                sigaddset(&brokenPipe, SIGPIPE)
                pthread_sigmask(SIG_BLOCK, &brokenPipe, nil)
                Unmanaged<EventLoop>.fromOpaque(context).takeRetainedValue().run()
                return nil
            },
            context
        )
        guard code == 0 else {
            Unmanaged<EventLoop>.fromOpaque(context).release()
            throw Errno(rawValue: code)
        }
        pthread_detach(thread)
        return loop
    }
}
