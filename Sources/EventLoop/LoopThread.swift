import Glibc
public import SystemPackage

extension EventLoop {
    /// Makes a loop and a thread that runs it until ``stop()``.
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
