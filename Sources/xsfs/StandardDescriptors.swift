import Glibc

/// The descriptors 0, 1 and 2, which a program may be started without.
enum StandardDescriptors {
    /// Takes those that are closed, so that nothing else gets their numbers: what is written to
    /// standard output would go to the store. Using them stays an error.
    static func keepTaken() {
        for number: Int32 in 0...2 where fcntl(number, F_GETFD) < 0 {
            let opened = open("/dev/null", number == 0 ? O_WRONLY : O_RDONLY)
            // The lowest number that is free is given out: those below are taken by now.
            if opened >= 0, opened != number { close(opened) }
        }
    }
}
